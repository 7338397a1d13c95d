// What a reading costs, side by side in one run: the bare counter, the kernel's ways, and the shim's exported function as
// a program would call it. The shim is loaded with dlopen, one configuration a process: scripts/bench runs them in turn.
// As a C caller (call site in this program) and behind std::chrono's wrapper.
#include <benchmark/benchmark.h>
#include <dlfcn.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>

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
void vdso(benchmark::State& state) {
  static const auto real = reinterpret_cast<ClockGettime>(dlsym(RTLD_NEXT, "clock_gettime"));
  void* libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
  const auto function = libc != nullptr ? reinterpret_cast<ClockGettime>(dlsym(libc, "clock_gettime")) : real;
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

// A call from six functions deep: what CLOCKSHIM_DEPTH=N costs more than 0 is the price of N learned frames.
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

}  // namespace

BENCHMARK_MAIN();
