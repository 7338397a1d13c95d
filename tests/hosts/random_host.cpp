// A program that does what a seed says: threads, processes of every kind, plug-ins, signals, jumps
// out of handlers, limits, descriptors that go, another root, another user, exec, and each way to
// end; and asks for the time all along. All decisions come from the seed, threads are joined and
// children waited for: two runs of a seed do the same. What a process says on the board has no time
// and no number of a process in it, so the boards of two runs can be compared.
//   random_host BOARD SEED [DEPTH COUNTED]
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

#include "board.h"
#include "random_calls.h"
#include "random_processes.h"
#include "random_signals.h"

namespace random_host {

void become(Random& random) {
  const uint64_t seed = random.next();
  if (g_depth >= kDeepest ||
      __atomic_add_fetch(&g_board->programs, 1, __ATOMIC_RELAXED) > kMostPrograms)
    return;
  if (!may_exec()) return say("no exec", -1);
  say("become", 0);
  Words words(seed);
  execve("/proc/self/exe", words.argv, environ);
  say("exec", errno);
}

// Ends.

void* exits_in_thread(void* /*unused*/) {
  ask(2);
  exit(g_exit_code);
}

[[noreturn]] void end(Random& random) {
  const long how = random.below(16);
  g_exit_code = static_cast<int>(random.below(100));
  say("end", how);
  pthread_t thread;
  switch (how) {
    case 0: _exit(g_exit_code);
    case 1: quick_exit(g_exit_code);
    case 2: abort();
    case 3: raise(SIGKILL); break;
    case 4:
      handle(SIGTERM, SIG_DFL);
      raise(SIGTERM);
      break;
    case 5: *static_cast<volatile int*>(nullptr) = 1; break;
    case 6:
    case 7:
      handle(SIGUSR1, exits);
      raise(SIGUSR1);
      break;
    case 8:
      HOST_EXPECT(pthread_create(&thread, nullptr, exits_in_thread, nullptr) == 0);
      pthread_join(thread, nullptr);
      break;
    case 9:
      if (!g_on_own_stack) pthread_exit(nullptr);
      break;
    case 10: become(random); break;
    default: break;
  }
  exit(g_exit_code);
}

void live_and_end(Random& random) {
  say("lives", g_depth);
  for (long left = (g_depth == 0 ? 6 : 2) + random.below(8); left > 0; --left) {
    switch (random.below(16)) {
      case 0:
      case 1:
      case 2:
      case 3: ask_somehow(random); break;
      case 4:
      case 5: use_threads(random); break;
      case 6:
      case 7:
      case 8: make_process(random); break;
      case 9: make_process_in_thread(random); break;
      case 10: say("plug-in", use_plug_in(random) ? 1 : 0); break;
      case 11:
      case 12: be_signalled(random); break;
      case 13: limit(random); break;
      case 14: lose_descriptors(random); break;
      default: move(random);
    }
  }
  end(random);
}

void ask_at_exit() { ask(1); }
void* ends_thread(void* /*unused*/) { pthread_exit(nullptr); }

}  // namespace random_host

int main(int argc, char** argv) {
  using namespace random_host;
  HOST_EXPECT(argc >= 3);
  g_board_path = argv[1];
  g_board = board_open(argv[1]);
  g_alone = argc > 4 && strcmp(argv[4], "maybe") == 0;
  g_counted = g_alone ? &g_board->maybe : &g_board->calls;
  g_depth = argc > 3 ? atol(argv[3]) : 0;
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  atexit(ask_at_exit);
  at_quick_exit(ask_at_exit);
  pthread_t thread;  // the end of a thread opens a library the first time
  if (pthread_create(&thread, nullptr, ends_thread, nullptr) == 0) pthread_join(thread, nullptr);
  Random random(strtoull(argv[2], nullptr, 10));
  live_and_end(random);
}
