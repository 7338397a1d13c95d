// Do the CPUs' counters agree? Two threads on two CPUs take turns and hand each other the newest reading; one that is behind what
// it was handed is proof that they don't (Linux does the like at boot, arch/x86/kernel/tsc_sync.c). It shows differences that are larger
// than a handoff takes; the smallest difference that it could have seen is not known, so "none" means: none that programs can notice.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "base/nanos.h"
#include "base/ticks.h"

namespace clockshim::cli {

using ReadCounter = Ticks (*)(int cpu);

struct WarpPair {
  int first = 0;
  int second = 0;
  std::uint64_t handoffs = 0;  // how often one took over from the other
  std::uint64_t backward = 0;  // readings behind the one handed over
  std::uint64_t greatest = 0;  // ticks
};

struct WarpResult {
  std::vector<WarpPair> pairs;  // tested, with handoffs enough to tell
  std::size_t untested = 0;     // pairs: no time, not allowed there, or hardly a handoff
  [[nodiscard]] WarpPair worst() const;
};

// Tests the pairs of `cpus` for about `budget` in all: each pair if there is time, else such that each CPU is in some. `progress`
// is told after each pair how many of how many are done. `read` gives the counter of the CPU that the thread was moved to.
WarpResult test_warp(const std::vector<int>& cpus, Nanos budget, const std::function<void(std::size_t, std::size_t)>& progress,
                     ReadCounter read);

// The machine's own counter.
Ticks counter_of(int cpu);

// The pairs that are tested, in order, when there is time for `most`: neighbours first, so that every CPU comes in early.
std::vector<WarpPair> plan_pairs(const std::vector<int>& cpus, std::size_t most);

}  // namespace clockshim::cli
