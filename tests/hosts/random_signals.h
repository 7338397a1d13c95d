// Part of random_host: calls in signal handlers, jumps out of them, and threads.
#pragma once

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/time.h>

#include <vector>

#include "random_calls.h"

namespace random_host {

inline sigjmp_buf g_jump;
inline int g_exit_code;

inline void asks_in_handler(int /*signal*/) { ask(3, CLOCK_REALTIME); }
inline void jumps(int /*signal*/) {
  ask(2);
  siglongjmp(g_jump, 1);
}
inline void jumps_at_once(int /*signal*/) { siglongjmp(g_jump, 1); }
inline void exits(int /*signal*/) {
  ask(2);
  exit(g_exit_code);
}

inline void handle(int signal, void (*handler)(int), int flags = 0) {
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

inline void set_timer(long first_us, long again_us) {
  const itimerval timer{{0, again_us}, {0, first_us}};
  setitimer(ITIMER_REAL, &timer, nullptr);
}

HOST_NOINLINE inline void raise_and_come_back() {
  if (sigsetjmp(g_jump, 1) == 0) raise(SIGUSR1);
}

HOST_NOINLINE inline void ask_until_jumped_out(long us) {
  if (sigsetjmp(g_jump, 1) == 0) {
    set_timer(us, 0);
    for (;;) ask_by_day(100);
  }
  __atomic_add_fetch(&g_board->maybe, 1, __ATOMIC_RELAXED);
}

inline void be_signalled(Random& random) {
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

struct ThreadWork {
  Random random;
  pthread_t thread{};
  void (*more)(Random&) = nullptr;
};

inline void* run_thread(void* at) {
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

inline void use_threads(Random& random) {
  handle(SIGUSR2, asks_in_handler);
  std::vector<ThreadWork> all;
  for (long i = random.below(4); i >= 0; --i) all.push_back({Random(random.next())});
  for (ThreadWork& t : all) HOST_EXPECT(pthread_create(&t.thread, nullptr, run_thread, &t) == 0);
  if (random.one_in(2)) ask_somehow(random);
  for (const ThreadWork& t : all) HOST_EXPECT(pthread_join(t.thread, nullptr) == 0);
}

}  // namespace random_host
