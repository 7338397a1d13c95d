// What a reading costs, side by side in one run: the bare counter, the kernel's ways, and the
// shim's exported function as a program would call it. The shim is loaded with dlopen, one
// configuration a process: scripts/bench runs them in turn. As a C caller (call site in this
// program) and behind std::chrono's wrapper.
#include <benchmark/benchmark.h>
#include <dlfcn.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <numeric>
#include <random>
#include <vector>

#include "arch/counter.h"
#include "os/real_clock.h"

namespace {

using ClockGettime = int (*)(clockid_t, timespec*);

void bare_counter(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(clockshim::Arch::unordered().raw());
}
BENCHMARK(bare_counter)->ThreadRange(1, 4)->UseRealTime();

void fenced_counter(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(clockshim::Arch::ordered().raw());
}
BENCHMARK(fenced_counter)->ThreadRange(1, 4)->UseRealTime();

void raw_syscall(benchmark::State& state) {
  timespec t;
  for (auto _ : state) syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &t);
}
BENCHMARK(raw_syscall)->UseRealTime();

// The C library's function, found behind any preload.
ClockGettime real_clock_gettime() {
  static const auto real = reinterpret_cast<ClockGettime>(dlsym(RTLD_NEXT, "clock_gettime"));
  void* libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
  return libc != nullptr ? reinterpret_cast<ClockGettime>(dlsym(libc, "clock_gettime")) : real;
}

void vdso(benchmark::State& state) {
  const ClockGettime function = real_clock_gettime();
  timespec t;
  for (auto _ : state) function(CLOCK_MONOTONIC, &t);
}
BENCHMARK(vdso)->ThreadRange(1, 4)->UseRealTime();

// Whatever clock_gettime is in this process: the shim's where it is preloaded.
void c_caller(benchmark::State& state) {
  timespec t;
  for (auto _ : state) clock_gettime(CLOCK_MONOTONIC, &t);
}
BENCHMARK(c_caller)->ThreadRange(1, 4)->UseRealTime();

void chrono_caller(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(std::chrono::steady_clock::now());
}
BENCHMARK(chrono_caller)->ThreadRange(1, 4)->UseRealTime();

// A call from six functions deep: what CLOCKSHIM_DEPTH=N costs more than 0 is the price of N
// learned frames.
template <int Depth>
__attribute__((noinline)) int nested(timespec* t) {
  int result;
  if constexpr (Depth == 0) {
    result = clock_gettime(CLOCK_MONOTONIC, t);
  } else {
    result = nested<Depth - 1>(t);
  }
  asm volatile("" : "+r"(result));  // no tail call
  return result;
}

void deep_caller(benchmark::State& state) {
  timespec t;
  for (auto _ : state) benchmark::DoNotOptimize(nested<6>(&t));
}
BENCHMARK(deep_caller)->UseRealTime();

// As a daemon asks: it has worked on other memory since, which took the caches. Each reading is
// timed by itself, between two fenced readings of the counter; `cold_nothing` is what these two
// cost.
constexpr std::size_t kLine = 64;
constexpr std::size_t kWorkedOn = std::size_t{2}
                                  << 20;  // more than a level 2 cache, less than a level 3 one
constexpr int kColdReadings = 500;

double seconds_per_tick() {
  static const double measured = [] {
    const auto start = std::chrono::steady_clock::now();
    const auto from = clockshim::Arch::ordered();
    while (std::chrono::steady_clock::now() - start < std::chrono::milliseconds{20}) {
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    return took.count() / static_cast<double>((clockshim::Arch::ordered() - from).raw());
  }();
  return measured;
}

// Out of order, so that no prefetcher follows.
void work(const std::vector<std::size_t>& lines) {
  static const std::vector<char> memory(kWorkedOn, 1);
  for (const std::size_t line : lines) benchmark::DoNotOptimize(memory[line * kLine]);
}

void cold(benchmark::State& state, ClockGettime function) {
  std::vector<std::size_t> lines(kWorkedOn / kLine);
  std::iota(lines.begin(), lines.end(), 0);
  std::shuffle(lines.begin(), lines.end(), std::minstd_rand{1});
  timespec t;
  for (auto _ : state) {
    work(lines);
    const auto before = clockshim::Arch::ordered();
    if (function != nullptr) function(CLOCK_MONOTONIC, &t);
    state.SetIterationTime(static_cast<double>((clockshim::Arch::ordered() - before).raw()) *
                           seconds_per_tick());
  }
}

void cold_nothing(benchmark::State& state) { cold(state, nullptr); }
BENCHMARK(cold_nothing)->UseManualTime()->Iterations(kColdReadings);

void cold_vdso(benchmark::State& state) { cold(state, real_clock_gettime()); }
BENCHMARK(cold_vdso)->UseManualTime()->Iterations(kColdReadings);

void cold_caller(benchmark::State& state) { cold(state, clock_gettime); }
BENCHMARK(cold_caller)->UseManualTime()->Iterations(kColdReadings);

}  // namespace

BENCHMARK_MAIN();
