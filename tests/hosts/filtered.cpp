// One process, made in the way that it is told, goes behind a filter that allows what the program
// itself calls and nothing else; there it asks for the time in every way, and ends in the way that
// it is told. The board says how often all processes called, how that one ended, and which system
// call the filter did not expect.
//   filtered BOARD PROCESS WHEN ASKS END HOW PRIVILEGES ACTION WARM
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <chrono>
#include <iterator>
#include <string>
#include <vector>

#include "board.h"
#include "sites.h"

extern char** environ;

namespace {

Board* g_board;
int g_argc;
char** g_argv;

std::string word(int i) { return g_argv[i]; }
std::string process() { return word(2); }
std::string when() { return word(3); }
std::string asks() { return word(4); }
std::string end() { return word(5); }

// Asking.

void counted(long calls = 1) { board_add(g_board, calls); }

template <class F>
void ask(F&& f) {
  f();
  counted();
}

HOST_NOINLINE void ask_once() {
  ask([] { host_clock(CLOCK_MONOTONIC); });
}

// Through some segments: one is 4 ms at most.
HOST_NOINLINE void ask_for_long() {
  const int64_t end = host_clock(CLOCK_MONOTONIC) + 12'000'000;
  counted();
  for (bool more = true; more;) {
    for (int i = 0; i < 500; ++i) ask([] { host_clock(CLOCK_REALTIME); });
    ask([&] { more = host_clock(CLOCK_MONOTONIC) < end; });
  }
}

HOST_NOINLINE void ask_in_every_way() {
  for (const auto& call : kSitesOf<40>) ask(call);
  ask([] { (void)std::chrono::steady_clock::now(); });
  ask([] { (void)std::chrono::system_clock::now(); });
  timeval t;
  ask([&] { gettimeofday(&t, nullptr); });
  timespec spec;
  ask([&] { timespec_get(&spec, TIME_UTC); });
  ask_for_long();
  ask([] { (void)std::chrono::steady_clock::now(); });
  for (const auto& call : kSitesOf<80>) ask(call);
}

void* ask_in_thread(void* /*unused*/) {
  ask_in_every_way();
  return nullptr;
}

void in_thread(void* (*f)(void*)) {
  pthread_t thread;
  HOST_EXPECT(pthread_create(&thread, nullptr, f, nullptr) == 0);
  HOST_EXPECT(pthread_join(thread, nullptr) == 0);
}

void ask_as_told() {
  if (asks() == "none") return;
  ask_once();
  if (asks() == "one") return;
  if (asks() == "threads") {
    pthread_t threads[2];
    for (pthread_t& t : threads) {
      HOST_EXPECT(pthread_create(&t, nullptr, ask_in_thread, nullptr) == 0);
    }
    ask_in_every_way();
    for (const pthread_t t : threads) HOST_EXPECT(pthread_join(t, nullptr) == 0);
  }
  ask_in_every_way();
}

// The filter.

void on_trap(int /*signal*/, siginfo_t* info, void* /*context*/) {
  g_board->trapped = info->si_syscall + 1;
  _exit(111);
}

std::vector<unsigned> allowed() {
  std::vector<unsigned> calls{SYS_clock_gettime, SYS_gettimeofday, SYS_exit, SYS_exit_group};
  const auto add = [&](std::initializer_list<unsigned> more) { calls.insert(calls.end(), more); };
  if (when() == "before" && process() != "self") {  // to make a process, and to wait for it
    add({SYS_clone, SYS_fork, SYS_set_robust_list, SYS_wait4, SYS_rt_sigprocmask});
  }
  if (asks() == "threads") {
    add({SYS_clone, SYS_clone3, SYS_mmap, SYS_mprotect, SYS_munmap, SYS_madvise, SYS_futex,
         SYS_rseq, SYS_rt_sigprocmask, SYS_set_robust_list, SYS_brk, SYS_sched_getaffinity});
  }
  if (end() == "pthread_exit") add({SYS_rt_sigprocmask, SYS_madvise, SYS_futex});
  if (end() == "term") add({SYS_tgkill, SYS_gettid, SYS_getpid, SYS_rt_sigprocmask});
  return calls;
}

void shut_in() {
  const bool traps = word(8) == "trap";
  if (traps) {
    struct sigaction action {};
    action.sa_sigaction = on_trap;
    action.sa_flags = SA_SIGINFO;
    HOST_EXPECT(sigaction(SIGSYS, &action, nullptr) == 0);
  }
  const std::vector<unsigned> calls = allowed();
  std::vector<sock_filter> code{BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr))};
  for (std::size_t i = 0; i < calls.size(); ++i) {
    const auto over = static_cast<unsigned char>(calls.size() - i);
    code.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, calls[i], over, 0));
  }
  const unsigned otherwise = traps ? SECCOMP_RET_TRAP : SECCOMP_RET_KILL_PROCESS;
  code.push_back(BPF_STMT(BPF_RET | BPF_K, otherwise));
  code.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  const sock_fprog program{static_cast<unsigned short>(code.size()), code.data()};
  if (word(7) == "no_new_privs") HOST_EXPECT(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  if (word(6) == "prctl") {
    HOST_EXPECT(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
  } else {
    HOST_EXPECT(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0);
  }
}

// The process that matters. Returns only to end by returning from main.
void live() {
  if (when() == "later") ask_as_told();
  if (when() != "before" || process() == "self") shut_in();
  ask_as_told();
  if (end() == "exit") exit(7);
  if (end() == "_exit") _exit(7);
  if (end() == "pthread_exit") pthread_exit(nullptr);
  if (end() == "term") raise(SIGTERM);
  if (end() == "segv") *static_cast<volatile int*>(nullptr) = 1;
}

int in_clone(void* /*unused*/) {
  live();
  return 7;
}

[[noreturn]] void end_after(pid_t pid) {
  int status = 0;
  HOST_EXPECT(pid > 0 && waitpid(pid, &status, __WALL) == pid);
  g_board->status = status;
  exit(0);
}

pid_t raw_clone() { return static_cast<pid_t>(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)); }

pid_t clone_with_stack() {
  constexpr std::size_t kSize = 256 << 10;
  static char stack[kSize] __attribute__((aligned(16)));
  return clone(in_clone, stack + kSize, SIGCHLD, nullptr);
}

pid_t spawn() {
  std::vector<std::string> words(g_argv, g_argv + g_argc);
  words[2] = "self";
  std::vector<char*> argv;
  for (std::string& w : words) argv.push_back(w.data());
  argv.push_back(nullptr);
  pid_t pid = 0;
  HOST_EXPECT(posix_spawn(&pid, "/proc/self/exe", nullptr, nullptr, argv.data(), environ) == 0);
  return pid;
}

// By fork, and the child by a raw clone of its own, or the other way round.
pid_t grandchild(bool raw_first) {
  const pid_t pid = raw_first ? raw_clone() : fork();
  if (pid != 0) return pid;
  ask_once();
  const pid_t second = raw_first ? fork() : raw_clone();
  if (second == 0) return 0;
  int status = 0;
  HOST_EXPECT(second > 0 && waitpid(second, &status, __WALL) == second);
  if (WIFSIGNALED(status)) _exit(100 + WTERMSIG(status));
  _exit(WEXITSTATUS(status));
}

void* forks(void* /*unused*/) {
  if (when() == "before") shut_in();
  const pid_t pid = fork();
  if (pid == 0) {
    live();
    _exit(7);
  }
  int status = 0;
  HOST_EXPECT(pid > 0 && waitpid(pid, &status, __WALL) == pid);
  g_board->status = status;
  syscall(SYS_exit_group, 0);  // of a thread that may do no more than this
  return nullptr;
}

pid_t make_process() {
  if (process() == "fork") return fork();
  if (process() == "_Fork") return _Fork();
  if (process() == "raw_clone") return raw_clone();
  if (process() == "clone_with_stack") return clone_with_stack();
  if (process() == "raw_fork") return static_cast<pid_t>(syscall(SYS_fork));
  if (process() == "spawn") return spawn();
  if (process() == "grandchild") return grandchild(false);
  if (process() == "raw_grandchild") return grandchild(true);
  HOST_EXPECT(!"a way to make a process");
  return -1;
}

void* ends_thread(void* /*unused*/) { pthread_exit(nullptr); }

}  // namespace

int main(int argc, char** argv) {
  HOST_EXPECT(argc == 10);
  g_argc = argc;
  g_argv = argv;
  g_board = board_open(argv[1]);
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  in_thread(
      ends_thread);  // what pthread_exit() opens and allocates the first time is there afterwards
  if (word(9) == "warm") counted(host_warm_up(CLOCK_REALTIME));
  if (process() == "self") {
    live();
    return 7;
  }
  if (process() == "thread_fork") {
    in_thread(forks);
  }
  if (when() == "before") shut_in();
  const pid_t pid = make_process();
  if (pid != 0) end_after(pid);
  live();
  return 7;
}
