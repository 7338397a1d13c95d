/* Asks for the time behind each instruction of what it does: the trap flag makes the kernel send
 * SIGTRAP after every one, and the handler asks, at times by a new site. It holds what it gets
 * against what it had before, counts its calls, and gives up where a stepped piece of work does not
 * come to its end. */
#include <dlfcn.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/wait.h>
#include <ucontext.h>

#include <array>
#include <atomic>
#include <chrono>
#include <utility>

#include "host.h"

extern "C" HOST_NOINLINE int64_t uv_hrtime(void) {
  timespec t;
  HOST_EXPECT(clock_gettime(CLOCK_MONOTONIC, &t) == 0);
  asm volatile("" ::: "memory");
  return host_ns(&t);
}

namespace {

constexpr long kEndless = 600'000; /* steps of one piece of work */
constexpr unsigned long kTrapFlag = 0x100;

pid_t g_process = 0;
std::atomic<long> g_calls{0};
__thread int64_t t_last[16];     /* what this thread had last, of each clock */
__thread int64_t t_last_day = 0; /* and of gettimeofday, us */
__thread long t_steps = 0;       /* of this piece of work */
__thread long t_stop_after = 0;  /* steps; 0: no */
__thread long t_jump_after = 0;
__thread long t_wait_after = 0;
sigjmp_buf g_out;
std::atomic<int> g_waiting{
    0}; /* 1: a thread stands still in the middle of a call; 2: it may go on */

void fail(const char* what, int64_t a, int64_t b) {
  dprintf(1, "FAILED %s %lld %lld, step %ld\n", what, (long long)a, (long long)b, t_steps);
  _exit(99);
}

/* A call that began when `before` was known, and has ended now. A handler in the middle of it may
 * have had more. */
void note(clockid_t id, int64_t before, int64_t now) {
  if (now < before) fail("back", before, now);
  if (now > t_last[id]) t_last[id] = now;
}

/* Inline: each place is a site of its own. */
__attribute__((always_inline)) inline void ask(clockid_t id) {
  g_calls.fetch_add(1);
  const int64_t before = t_last[id];
  note(id, before, host_clock(id));
}

HOST_NOINLINE void ask_day() {
  g_calls.fetch_add(1);
  const int64_t before = t_last_day;
  timeval t;
  HOST_EXPECT(gettimeofday(&t, nullptr) == 0);
  const int64_t now = t.tv_sec * INT64_C(1000000) + t.tv_usec;
  if (now < before) fail("day back", before, now);
  if (now > t_last_day) t_last_day = now;
}

void ask_chrono() {
  g_calls.fetch_add(1);
  const int64_t before = t_last[CLOCK_MONOTONIC];
  note(CLOCK_MONOTONIC, before, std::chrono::steady_clock::now().time_since_epoch().count());
}

/* Sites by the hundred: each number is one, with a caller of its own behind it. */
template <int number>
HOST_NOINLINE void site() {
  ask(number % 3 == 0 ? CLOCK_BOOTTIME : CLOCK_MONOTONIC);
  asm volatile("" ::: "memory");
}
template <int number>
HOST_NOINLINE void caller() {
  site<number>();
  asm volatile("" ::: "memory");
}
template <int number>
HOST_NOINLINE void behind_wrapper() {
  g_calls.fetch_add(1);
  const int64_t before = t_last[CLOCK_MONOTONIC];
  note(CLOCK_MONOTONIC, before, uv_hrtime());
}
using Function = void (*)();
constexpr int kSites = 240;
constexpr int kJumps = 120;
template <int... numbers>
constexpr std::array<Function, sizeof...(numbers)> callers_of(
    std::integer_sequence<int, numbers...>) {
  return {caller<numbers>...};
}
template <int... numbers>
constexpr std::array<Function, sizeof...(numbers)> wrapped_of(
    std::integer_sequence<int, numbers...>) {
  return {behind_wrapper<numbers>...};
}
constexpr auto kCallers = callers_of(std::make_integer_sequence<int, kSites>{});
constexpr auto kWrapped = wrapped_of(std::make_integer_sequence<int, kSites>{});

void step_over(bool on) {
  /* Past the red zone. */
  if (on) {
    asm volatile(
        "lea -128(%%rsp), %%rsp; pushfq; orq %0, (%%rsp); popfq; lea 128(%%rsp), %%rsp" ::"i"(
            kTrapFlag)
        : "memory", "cc");
  } else {
    asm volatile(
        "lea -128(%%rsp), %%rsp; pushfq; andq %0, (%%rsp); popfq; lea 128(%%rsp), %%rsp" ::"i"(
            ~kTrapFlag)
        : "memory", "cc");
  }
}

void trapped(int, siginfo_t*, void* context) {
  const int saved_errno = errno;
  if (const pid_t now = (pid_t)syscall(SYS_getpid); now != g_process) {
    g_process = now; /* a child, in the middle of fork(): counts from nothing */
    g_calls = 0;
  }
  const long step = ++t_steps;
  if (step == kEndless) fail("endless", 0, 0);
  if (step == t_stop_after)
    ((ucontext_t*)context)->uc_mcontext.gregs[REG_EFL] &= ~(greg_t)kTrapFlag;
  if (step == t_jump_after) siglongjmp(g_out, 1);
  if (step == t_wait_after) {
    g_waiting = 1;
    while (g_waiting != 2) sched_yield();
  }
  if (t_jump_after == 0) {
    ask(CLOCK_MONOTONIC);
    if (step % 7 == 0) ask_day();
    if (step % 11 == 0) ask_chrono();
    if (step % 997 == 0) kWrapped[(step / 997) % kSites]();
    if (step % 1009 == 0) kCallers[(step / 1009) % kSites]();
  }
  errno = saved_errno;
}

void watch() {
  struct sigaction action {};
  action.sa_sigaction = trapped;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  HOST_EXPECT(sigaction(SIGTRAP, &action, nullptr) == 0);
  g_process = getpid();
}

/* The same on a stack of its own, as interpreters and Go have it. */
void use_other_stack() {
  static __thread char memory[64 << 10];
  const stack_t stack{memory, 0, sizeof memory};
  HOST_EXPECT(sigaltstack(&stack, nullptr) == 0);
}

template <class F>
HOST_NOINLINE long stepped(F f, long most = 0) {
  t_steps = 0;
  t_stop_after = most;
  step_over(true);
  f();
  step_over(false);
  t_stop_after = 0;
  return t_steps;
}

void say_calls() { host_say("calls", g_calls.load()); }

void calls() {
  long steps = stepped([] { ask(CLOCK_MONOTONIC); }); /* this process's first */
  for (const Function f : {Function(ask_day), Function(ask_chrono), kCallers[3], kWrapped[4]}) {
    for (int i = 0; i < 5; ++i) steps += stepped(f);
  }
  for (int i = 0; i < 30; ++i) steps += stepped(kCallers[i]) + stepped(kWrapped[i]);
  /* Through several resyncs of each. */
  const int64_t end = host_real_clock(CLOCK_MONOTONIC) + 100'000'000;
  while (host_real_clock(CLOCK_MONOTONIC) < end) {
    steps += stepped([] {
      for (const clockid_t id :
           {CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_RAW, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_TAI})
        ask(id);
      ask_day();
    });
  }
  host_say("steps", steps);
}

void forks() {
  for (int i = 0; i < 4; ++i) {
    pid_t child = -1;
    if (i % 2 == 0) {
      stepped([&child] { child = fork(); });
    } else {
      child = fork();
      if (child == 0) {
        g_process = getpid();
        g_calls = 0;
      }
    }
    HOST_EXPECT(child >= 0);
    if (child == 0) {
      stepped([] { ask(CLOCK_MONOTONIC); });
      stepped(ask_day);
      stepped(kCallers[1]);
      stepped(kWrapped[2]);
      say_calls();
      exit(0);
    }
    int status = 0;
    HOST_EXPECT(waitpid(child, &status, 0) == child);
    if (status != 0) fail("child", status, i);
  }
}

pthread_key_t g_key;
/* Among a thread's last destructors; the shim's comes again after the first round. */
void destructor(void* value) {
  if (value == (void*)1) {
    ask(CLOCK_MONOTONIC);
    pthread_setspecific(g_key, (void*)2);
    t_steps = 0;
    step_over(true);
  } else {
    step_over(false);
  }
}

void* in_thread(void*) {
  use_other_stack();
  stepped([] { ask(CLOCK_MONOTONIC); });
  stepped(kCallers[10]);
  stepped(kWrapped[11]);
  pthread_setspecific(g_key, (void*)1);
  return nullptr;
}

void threads() {
  HOST_EXPECT(pthread_key_create(&g_key, destructor) == 0);
  for (int i = 0; i < 12; ++i) {
    pthread_t some[2];
    for (auto& one : some) HOST_EXPECT(pthread_create(&one, nullptr, in_thread, nullptr) == 0);
    for (auto& one : some) HOST_EXPECT(pthread_join(one, nullptr) == 0);
  }
}

void unloads() {
  char path[4096];
  snprintf(path, sizeof path, "%s/plug_a.so", getenv("CLOCKSHIM_TEST_HOSTS"));
  for (int i = 0; i < 2; ++i) {
    void* library = dlopen(path, RTLD_NOW);
    HOST_EXPECT(library != nullptr);
    int64_t (*plug_ask)(long);
    *reinterpret_cast<void**>(&plug_ask) = dlsym(library, "plug_a_ask");
    stepped([&] { plug_ask(3); });
    g_calls += 3;
    stepped([&] { HOST_EXPECT(dlclose(library) == 0); }, 25'000);
  }
}

/* Leaves first sights in the middle, by a jump out of the handler, each at another instruction. */
void jumps(long first) {
  static long jumped = 0; /* static: what is on the stack may be lost by the jump */
  static int i = 0;
  for (; i < kJumps; ++i) {
    t_jump_after = first + i * 13;
    if (sigsetjmp(g_out, 1) == 0) {
      stepped(i % 2 == 0 ? kCallers[i] : kWrapped[i]);
    } else {
      step_over(false);
      ++jumped;
    }
    t_jump_after = 0;
    for (int j = 0; j < 10; ++j) (i % 2 == 0 ? kCallers[i] : kWrapped[i])();
  }
  host_say("jumped", jumped);
}

void* stand_still(void* after) {
  t_wait_after = (long)after;
  stepped(kCallers[200]);
  t_wait_after = 0;
  if (g_waiting == 0) g_waiting = 1; /* it takes fewer */
  return nullptr;
}

/* Forks while another thread stands still in the middle of a first sight. */
void fork_while(long after) {
  pthread_t other;
  HOST_EXPECT(pthread_create(&other, nullptr, stand_still, (void*)after) == 0);
  while (g_waiting != 1) sched_yield();
  const pid_t child = fork();
  if (child == 0) {
    g_process = getpid();
    g_calls = 0;
    for (int i = 0; i < 20; ++i) kCallers[i]();
    kCallers[200]();
    say_calls();
    exit(0);
  }
  g_waiting = 2;
  HOST_EXPECT(pthread_join(other, nullptr) == 0);
  int status = 0;
  HOST_EXPECT(waitpid(child, &status, 0) == child && status == 0);
}

}  // namespace

int main(int argc, char** argv) {
  const char* how = argc > 1 ? argv[1] : "";
  watch();
  if (argc > 2 && strcmp(argv[2], "other-stack") == 0) use_other_stack();
  if (strcmp(how, "calls") == 0) {
    calls();
  } else if (strcmp(how, "forks") == 0) {
    ask(CLOCK_MONOTONIC);
    forks();
  } else if (strcmp(how, "threads") == 0) {
    threads();
  } else if (strcmp(how, "unloads") == 0) {
    unloads();
  } else if (strcmp(how, "jumps") == 0) {
    jumps(atol(argv[2]));
  } else if (strcmp(how, "fork-while") == 0) {
    fork_while(atol(argv[2]));
  } else if (strcmp(how, "exit") == 0) {
    /* What is asked at the end is in no report: the calls are not compared. */
    ask(CLOCK_MONOTONIC);
    t_stop_after = 25'000;
    step_over(true);
    exit(0);
  } else {
    return 2;
  }
  say_calls();
  return 0;
}
