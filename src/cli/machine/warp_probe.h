// Finds out whether the CPUs' counters agree. Two threads on two CPUs take turns and hand each
// other the newest reading. One that is behind the reading that it was handed proves that they do
// not (Linux does the same at boot, arch/x86/kernel/tsc_sync.c). The duration of a handoff hides
// smaller differences. So the shortest handoffs in both directions also give the most by which the
// counters can differ; if that is too much (the CPUs are busy), the pair counts as not compared.
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
  std::uint64_t backward = 0;  // readings that were behind the one handed over
  std::uint64_t greatest = 0;  // in ticks, the largest such difference
  std::uint64_t within = 0;    // neither is ahead of the other by more than this many ticks
  // The minimum time of a handoff to each of the two, in ticks, less the offset by which the
  // receiver is behind: the most by which the receiver can be ahead. Negative: it is behind.
  std::int64_t to_first = 0;
  std::int64_t to_second = 0;
};

struct WarpResult {
  std::vector<WarpPair> pairs;  // compared: they disagree, or agree closely enough
  std::size_t untested = 0;     // pairs without a result: no time, not allowed, or nothing proved
  [[nodiscard]] WarpPair worst() const;
  [[nodiscard]] std::uint64_t within() const;  // the maximum of all pairs
};

// Tests the pairs of `cpus` for about `budget` in all: every pair if there is time, else a
// selection that includes every CPU. CPUs that differ by at most `enough` ticks count as agreeing.
// `progress` is called after each pair with the number done and the number of all. `read` returns
// the counter of the CPU that the thread was moved to.
WarpResult probe_warp(const std::vector<int>& cpus, Nanos budget, TickDelta enough,
                      const std::function<void(std::size_t, std::size_t)>& progress,
                      ReadCounter read);

struct PairTest {
  Nanos length;                // how long to test
  Nanos patience;              // how long at most, if the CPUs are busy
  TickDelta enough;            // ticks by which agreeing counters may differ
  std::uint64_t handoffs = 1;  // the minimum number
};

// Compares one pair. False: not allowed on one of the CPUs, or nothing is proved: they were not
// seen to disagree, but might by more than `enough`.
bool test_pair(WarpPair& pair, const PairTest& how, ReadCounter read);

// Reads the machine's own counter.
Ticks counter_of(int cpu);

// The pairs to test, in order, if there is time for `most`: neighbours first, so that every CPU is
// included early.
std::vector<WarpPair> plan_pairs(const std::vector<int>& cpus, std::size_t most);

}  // namespace clockshim::cli
