// Part of random_host: the random numbers, what a process knows of itself, and its clock calls.
// Each is counted behind the call, so that whoever jumps out of one knows of one at most.
#pragma once

#include <dlfcn.h>
#include <sys/time.h>

#include <chrono>
#include <string>

#include "board.h"
#include "sites.h"

namespace random_host {

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

inline Board* g_board;
inline std::string g_board_path;
inline long g_depth;
inline long* g_counted;  // where calls are counted on the board
inline bool
    g_elsewhere;  // another user, or another root: children can't be found in the folder any more
inline bool g_alone;  // without our environment, a program that is started is bare
inline bool g_stderr_is_precious;
inline bool g_on_own_stack;  // made by clone(): no thread's end can unwind from there
// A file of the parent's, which may become our standard error: it is nobody's to write to.
inline int g_precious = -1;

inline void say(const char* tag, long number) { board_say(g_board, tag, number); }

inline void counted() { __atomic_add_fetch(g_counted, 1, __ATOMIC_RELAXED); }

HOST_NOINLINE inline void ask(long times, clockid_t id = CLOCK_MONOTONIC) {
  for (long i = 0; i < times; ++i) {
    host_clock(id);
    counted();
  }
}

HOST_NOINLINE inline void ask_by_day(long times) {
  for (long i = 0; i < times; ++i) {
    timeval t;
    gettimeofday(&t, nullptr);
    counted();
  }
}

HOST_NOINLINE inline void ask_by_c11(long times) {
  for (long i = 0; i < times; ++i) {
    timespec t;
    timespec_get(&t, TIME_UTC);
    counted();
  }
}

HOST_NOINLINE inline void ask_by_chrono(long times) {
  for (long i = 0; i < times; ++i) {
    (void)std::chrono::steady_clock::now();
    counted();
    (void)std::chrono::system_clock::now();
    counted();
  }
}

inline void ask_somehow(Random& random) {
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
inline bool use_plug_in(Random& random) {
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

}  // namespace random_host
