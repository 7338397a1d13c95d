// A child's first calls come from threads that did not fork: from one that was made in the child,
// or from several at the same moment. The board says how often all of them called.
//   child_threads BOARD FORK FIRST END
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include <atomic>
#include <string>

#include "board.h"
#include "host.h"

namespace {

constexpr int kRounds = 12;
constexpr long kMany = 40'000;
constexpr long kLong = 500'000;  // longer than a time slice: parent and child run side by side

Board* g_board;
std::string g_first;
bool g_exits;

HOST_NOINLINE void ask(long times) {
  for (long i = 0; i < times; ++i) host_clock(CLOCK_MONOTONIC);
  board_add(g_board, times);
}

class Thread {
 public:
  template <class F>
  explicit Thread(F& f) {
    HOST_EXPECT(pthread_create(&thread_, nullptr, run<F>, &f) == 0);
  }
  ~Thread() { HOST_EXPECT(pthread_join(thread_, nullptr) == 0); }
  Thread(const Thread&) = delete;
  Thread& operator=(const Thread&) = delete;

 private:
  template <class F>
  static void* run(void* f) {
    (*static_cast<F*>(f))();
    return nullptr;
  }
  pthread_t thread_{};
};

// A thread makes the first call, and then it and the one that forked go on together.
void other_first() {
  std::atomic<bool> asked{false};
  auto asks = [&] {
    ask(1);
    asked = true;
    ask(kMany);
  };
  const Thread other(asks);
  while (!asked.load()) {
  }
  ask(kMany);
}

// The first calls come in the same moment, as far as a machine lets them: `own`, the thread that
// forked is one of them.
void together(bool own) {
  std::atomic<int> ready{0};
  auto asks = [&] {
    ready.fetch_add(1);
    for (long turn = 0; ready.load() < (own ? 3 : 2); ++turn) {
      if (turn % 1000 == 999) sched_yield();
    }
    ask(kMany);
  };
  const Thread first(asks);
  const Thread second(asks);
  if (own) asks();
}

// Threads come and go before the one that forked asks at all.
void one_after_another() {
  auto asks = [] { ask(kMany / 10); };
  for (int i = 0; i < 10; ++i) const Thread thread(asks);
  ask(kMany);
}

[[noreturn]] void live() {
  if (g_first == "other") other_first();
  if (g_first == "two") together(false);
  if (g_first == "all") together(true);
  if (g_first == "one_after_another") one_after_another();
  if (g_first == "beside_its_parent") ask(kLong);
  if (g_exits) exit(0);
  _exit(0);
}

pid_t raw_clone() { return static_cast<pid_t>(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)); }

pid_t make_process(const std::string& how) {
  if (how == "raw_clone") return raw_clone();
  if (how == "_Fork") return _Fork();
  return fork();
}

void children(const std::string& how) {
  for (int i = 0; i < kRounds; ++i) {
    ask(100);
    const pid_t pid = make_process(how);
    if (pid == 0) live();
    // Beside the child, which may count in the same place.
    ask(g_first == "beside_its_parent" ? kLong : kMany / 4);
    int status = 0;
    HOST_EXPECT(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
  }
}

}  // namespace

int main(int argc, char** argv) {
  HOST_EXPECT(argc == 5);
  g_board = board_open(argv[1]);
  const std::string fork_how = argv[2];
  g_first = argv[3];
  g_exits = std::string(argv[4]) == "exit";
  if (fork_how == "amid") {  // while others count, from a thread that is not the first
    std::atomic<bool> stop{false};
    auto counts = [&] {
      while (!stop.load()) ask(100);
    };
    auto forks = [] { children("fork"); };
    const Thread one(counts);
    const Thread two(counts);
    { const Thread forker(forks); }
    stop = true;
  } else if (fork_how == "silent_parent") {  // that has not asked itself; the child's threads are
                                             // the first of all
    const pid_t pid = fork();
    if (pid == 0) live();
    int status = 0;
    HOST_EXPECT(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
  } else if (fork_how == "in_thread") {
    auto forks = [] { children("fork"); };
    const Thread forker(forks);
  } else {
    children(fork_how);
  }
  return 0;
}
