// A program that does what a seed says: threads, processes of every kind, plug-ins, signals, jumps
// out of handlers, limits, descriptors that go, another root, another user, exec, and each way to
// end; and asks for the time all along. All decisions come from the seed, threads are joined and
// children waited for: two runs of a seed do the same. What a process says on the board has no time
// and no number of a process in it, so the boards of two runs can be compared.
//   random_host BOARD SEED [DEPTH COUNTED]
#include <dlfcn.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <chrono>
#include <string>
#include <vector>

#include "board.h"
#include "sites.h"

extern char** environ;

namespace {

// splitmix64: small, and the same everywhere.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  long below(long n) { return static_cast<long>(next() % static_cast<uint64_t>(n)); }
  bool one_in(long n) { return below(n) == 0; }

 private:
  uint64_t state_;
};

constexpr long kDeepest = 3;
constexpr long kMostPrograms = 36;  // so many live files stay, and all are to be read

Board* g_board;
std::string g_board_path;
long g_depth;
long* g_counted;   // where calls are counted on the board
bool g_elsewhere;  // another user, or another root: children can't be found in the folder any more
bool g_alone;      // without our environment, a program that is started is bare
bool g_stderr_is_precious;
bool g_on_own_stack;  // made by clone(): no thread's end can unwind from there
// A file of the parent's, which may become our standard error: it is nobody's to write to.
int g_precious = -1;

void say(const char* tag, long number) { board_say(g_board, tag, number); }

// Asking. Counted behind the call, so that whoever jumps out of one knows of one at most.

void counted() { __atomic_add_fetch(g_counted, 1, __ATOMIC_RELAXED); }

HOST_NOINLINE void ask(long times, clockid_t id = CLOCK_MONOTONIC) {
  for (long i = 0; i < times; ++i) {
    host_clock(id);
    counted();
  }
}

HOST_NOINLINE void ask_by_day(long times) {
  for (long i = 0; i < times; ++i) {
    timeval t;
    gettimeofday(&t, nullptr);
    counted();
  }
}

HOST_NOINLINE void ask_by_c11(long times) {
  for (long i = 0; i < times; ++i) {
    timespec t;
    timespec_get(&t, TIME_UTC);
    counted();
  }
}

HOST_NOINLINE void ask_by_chrono(long times) {
  for (long i = 0; i < times; ++i) {
    (void)std::chrono::steady_clock::now();
    counted();
    (void)std::chrono::system_clock::now();
    counted();
  }
}

void ask_somehow(Random& random) {
  constexpr clockid_t kClocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC,       CLOCK_MONOTONIC_RAW,
                                   CLOCK_BOOTTIME, CLOCK_REALTIME_COARSE, CLOCK_PROCESS_CPUTIME_ID};
  const long times = random.one_in(8) ? random.below(30'000) : random.below(500);
  switch (random.below(5)) {
    case 0: return ask(times, kClocks[random.below(std::size(kClocks))]);
    case 1: return ask_by_day(times);
    case 2: return ask_by_c11(times);
    case 3: return ask_by_chrono(times);
    default:
      for (long i = random.below(120); i > 0; --i) {
        kSitesOf<200>[static_cast<std::size_t>(random.below(200))]();
        counted();
      }
  }
}

// Plug-ins. False: it can't be loaded, which depends on what was done to us before.
bool use_plug_in(Random& random) {
  const bool a = random.one_in(2);
  const bool keep = random.one_in(6);
  const long times = random.below(300);
  const char* const folder = getenv("CLOCKSHIM_TEST_HOSTS");
  const std::string path =
      std::string(folder != nullptr ? folder : ".") + (a ? "/plug_a.so" : "/plug_b.so");
  void* const library = dlopen(path.c_str(), RTLD_NOW);
  if (library == nullptr) return false;
  int64_t (*f)(long) = nullptr;
  *reinterpret_cast<void**>(&f) = dlsym(library, a ? "plug_a_ask" : "plug_b_ask");
  HOST_EXPECT(f != nullptr);
  for (long i = 0; i < times; ++i) {
    f(1);
    counted();
  }
  if (!keep) dlclose(library);
  return true;
}

// Signals.

sigjmp_buf g_jump;
int g_exit_code;

void asks_in_handler(int /*signal*/) { ask(3, CLOCK_REALTIME); }
void jumps(int /*signal*/) {
  ask(2);
  siglongjmp(g_jump, 1);
}
void jumps_at_once(int /*signal*/) { siglongjmp(g_jump, 1); }
void exits(int /*signal*/) {
  ask(2);
  exit(g_exit_code);
}

void handle(int signal, void (*handler)(int), int flags = 0) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = flags;
  HOST_EXPECT(sigaction(signal, &action, nullptr) == 0);
}

// A small one, as runtimes have, with a page below it that nobody may touch.
class OtherStack {
 public:
  OtherStack() {
    at_ = static_cast<char*>(
        mmap(nullptr, kPage + kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    HOST_EXPECT(at_ != MAP_FAILED && mprotect(at_, kPage, PROT_NONE) == 0);
    stack_t stack{};
    stack.ss_sp = at_ + kPage;
    stack.ss_size = kSize;
    HOST_EXPECT(sigaltstack(&stack, nullptr) == 0);
  }
  ~OtherStack() {
    stack_t none{};
    none.ss_flags = SS_DISABLE;
    sigaltstack(&none, nullptr);
    munmap(at_, kPage + kSize);
  }
  OtherStack(const OtherStack&) = delete;
  OtherStack& operator=(const OtherStack&) = delete;

 private:
  static constexpr std::size_t kPage = 4096;
  static constexpr std::size_t kSize = 8192;
  char* at_;
};

void set_timer(long first_us, long again_us) {
  const itimerval timer{{0, again_us}, {0, first_us}};
  setitimer(ITIMER_REAL, &timer, nullptr);
}

HOST_NOINLINE void raise_and_come_back() {
  if (sigsetjmp(g_jump, 1) == 0) raise(SIGUSR1);
}

HOST_NOINLINE void ask_until_jumped_out(long us) {
  if (sigsetjmp(g_jump, 1) == 0) {
    set_timer(us, 0);
    for (;;) ask_by_day(100);
  }
  __atomic_add_fetch(&g_board->maybe, 1, __ATOMIC_RELAXED);
}

void be_signalled(Random& random) {
  const OtherStack stack;
  const int flags = random.one_in(2) ? SA_ONSTACK : 0;
  switch (random.below(4)) {
    case 0:
      handle(SIGUSR1, asks_in_handler, flags);
      for (long i = random.below(5); i >= 0; --i) raise(SIGUSR1);
      return;
    case 1:
      handle(SIGUSR1, jumps, flags);
      for (long i = random.below(5); i >= 0; --i) raise_and_come_back();
      return;
    case 2:  // in the middle of calls
      handle(SIGALRM, asks_in_handler, flags | SA_RESTART);
      set_timer(50, 70);
      ask(5000);
      ask_by_chrono(500);
      set_timer(0, 0);
      return;
    default:  // and away from them
      handle(SIGALRM, jumps_at_once, flags);
      ask_until_jumped_out(random.below(300) + 1);
  }
}

// Threads.

struct ThreadWork {
  Random random;
  pthread_t thread{};
  void (*more)(Random&) = nullptr;
};

void* run_thread(void* at) {
  auto& work = *static_cast<ThreadWork*>(at);
  if (work.more != nullptr) {
    work.more(work.random);
    return nullptr;
  }
  for (long i = work.random.below(6); i >= 0; --i) {
    switch (work.random.below(5)) {
      case 0: use_plug_in(work.random); break;
      case 1: raise(SIGUSR2); break;
      default: ask_somehow(work.random);
    }
  }
  if (work.random.one_in(3)) pthread_exit(nullptr);
  return nullptr;
}

void use_threads(Random& random) {
  handle(SIGUSR2, asks_in_handler);
  std::vector<ThreadWork> all;
  for (long i = random.below(4); i >= 0; --i) all.push_back({Random(random.next())});
  for (ThreadWork& t : all) HOST_EXPECT(pthread_create(&t.thread, nullptr, run_thread, &t) == 0);
  if (random.one_in(2)) ask_somehow(random);
  for (const ThreadWork& t : all) HOST_EXPECT(pthread_join(t.thread, nullptr) == 0);
}

// Processes.

[[noreturn]] void live_and_end(Random& random);

struct CloneWork {
  uint64_t seed;
};

[[noreturn]] void be_child(uint64_t seed) {
  ++g_depth;
  if (g_elsewhere) g_counted = &g_board->maybe;
  Random random(seed);
  live_and_end(random);
}

int in_clone(void* work) {
  g_on_own_stack = true;
  be_child(static_cast<CloneWork*>(work)->seed);
}

int asks_and_goes(void* /*unused*/) {
  ask(30);
  _exit(3);
}

char* new_stack(std::size_t size) {
  void* const at =
      mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  HOST_EXPECT(at != MAP_FAILED);
  return static_cast<char*>(at);
}

// What exec starts finds its board by the path: not from another root, nor as another user. And
// what is its standard error then may be written to.
bool may_exec() {
  return !g_elsewhere && !g_stderr_is_precious && access(g_board_path.c_str(), R_OK | W_OK) == 0;
}

struct Words {
  explicit Words(uint64_t seed_of_it)
      : seed(std::to_string(seed_of_it)), depth(std::to_string(g_depth + 1)) {}
  std::string name = "random_host";
  std::string seed;
  std::string depth;
  std::string counted = g_alone ? "maybe" : "calls";
  char* argv[6] = {name.data(),  g_board_path.data(), seed.data(),
                   depth.data(), counted.data(),      nullptr};
};

HOST_NOINLINE pid_t vfork_and_exec(Words& words, bool asks) {
  const pid_t pid = vfork();
  if (pid == 0) {
    if (asks) ask(20);  // in the parent's memory, and so in its counts
    execve("/proc/self/exe", words.argv, environ);
    _exit(4);
  }
  return pid;
}

void make_process(Random& random) {
  const uint64_t seed = random.next();
  const long kind = random.below(11);
  say("process", kind);
  if (g_depth >= kDeepest ||
      __atomic_add_fetch(&g_board->programs, 1, __ATOMIC_RELAXED) > kMostPrograms)
    return;
  const bool execs = kind >= 8;
  if (execs && !may_exec()) return say("no exec", kind);
  const int precious = memfd_create("precious", MFD_CLOEXEC);
  g_precious = precious;
  pid_t pid = -1;
  Words words(seed);
  CloneWork work{seed};
  const bool asks = random.one_in(2);
  switch (kind) {
    case 0:
    case 1:
    case 2:
      if ((pid = fork()) == 0) be_child(seed);
      break;
    case 3:
      if ((pid = _Fork()) == 0) be_child(seed);
      break;
    case 4:
      if ((pid = static_cast<pid_t>(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0))) == 0) be_child(seed);
      break;
    case 5:
      if ((pid = static_cast<pid_t>(syscall(SYS_fork))) == 0) be_child(seed);
      break;
    case 6: pid = clone(in_clone, new_stack(512 << 10) + (512 << 10), SIGCHLD, &work); break;
    case 7:
      pid = clone(asks_and_goes, new_stack(64 << 10) + (64 << 10), CLONE_VM | CLONE_VFORK | SIGCHLD,
                  nullptr);
      break;
    case 8: pid = vfork_and_exec(words, asks); break;
    case 9:
      if (posix_spawn(&pid, "/proc/self/exe", nullptr, nullptr, words.argv, environ) != 0) pid = -1;
      break;
    default:
      if ((pid = fork()) == 0) {
        if (asks) ask(10);
        execve("/proc/self/exe", words.argv, environ);
        _exit(4);
      }
  }
  g_precious = -1;
  int status = -1;
  if (pid > 0) {
    while (waitpid(pid, &status, __WALL) < 0) HOST_EXPECT(errno == EINTR);
  }
  say("status", status);
  struct stat info {};
  say("precious", precious >= 0 && fstat(precious, &info) == 0 ? info.st_size : -1);
  if (precious >= 0) close(precious);
}

void make_process_in_thread(Random& random) {
  ThreadWork work{Random(random.next()), {}, make_process};
  HOST_EXPECT(pthread_create(&work.thread, nullptr, run_thread, &work) == 0);
  HOST_EXPECT(pthread_join(work.thread, nullptr) == 0);
}

// What may be done to a process by itself, that it can't take back.

void limit(Random& random) {
  struct Limit {
    __rlimit_resource_t what;
    rlim_t most;
  };
  constexpr Limit kLimits[] = {
      {RLIMIT_FSIZE, 0},   {RLIMIT_FSIZE, 100 << 10}, {RLIMIT_NOFILE, 3},        {RLIMIT_NOFILE, 6},
      {RLIMIT_NOFILE, 20}, {RLIMIT_AS, 768 << 20},    {RLIMIT_MEMLOCK, 64 << 10}};
  const long which = random.below(std::size(kLimits));
  const rlimit limit{kLimits[which].most, kLimits[which].most};
  say("limit", which * 10 + (setrlimit(kLimits[which].what, &limit) == 0 ? 0 : 1));
}

void lose_descriptors(Random& random) {
  switch (random.below(5)) {
    case 0: closefrom(3); break;
    case 1: close(0); break;
    case 2: close(1); break;
    case 3: close(2); break;
    default:
      if (g_precious < 0) break;
      say("dup2", dup2(g_precious, 2));
      g_stderr_is_precious = true;
  }
  const int next = open("/dev/null", O_RDONLY);  // has the number that it has bare
  say("next", next);
  if (next > 2) close(next);
}

void move(Random& random) {
  switch (random.below(8)) {
    case 0:
      if (geteuid() != 0) return;
      g_elsewhere = true;
      say("chroot", chroot("/proc/self/fdinfo"));
      say("chdir", chdir("/"));
      return;
    case 1:
      if (geteuid() != 0) return;
      g_elsewhere = true;
      HOST_EXPECT(setgroups(0, nullptr) == 0);
      say("setgid", setgid(65534));
      say("setuid", setuid(65534));
      return;
    case 2: say("chdir", chdir("/")); return;
    case 3: say("chdir", chdir("/proc/self")); return;
    case 4:  // what root makes with no rights at all, root can still read
      umask(!random.one_in(2) ? 0 : geteuid() == 0 ? 0777 : 077);
      return;
    default:
      g_alone = true;
      clearenv();
      setenv("HOME", "/", 1);
      return;
  }
}

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

[[noreturn]] void live_and_end(Random& random) {
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

}  // namespace

int main(int argc, char** argv) {
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
