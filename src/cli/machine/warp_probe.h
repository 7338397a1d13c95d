// Do the CPUs' counters agree? Two threads on two CPUs take turns and hand each other the newest
// reading; one that is behind what it was handed is proof that they don't (Linux does the like at
// boot, arch/x86/kernel/tsc_sync.c). What a handoff takes hides a difference that is smaller; so
// the shortest handoffs in both directions also tell what they can disagree by at most, and where
// that is too much (CPUs that are busy with others) the pair counts as not compared.
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
  std::uint64_t greatest = 0;  // ticks, of those
  std::uint64_t within = 0;    // ticks that neither is ahead of the other by more than
  // Ticks that a handoff took at least, to each of the two, less what the one that took over is
  // behind: how far that one can be ahead of the other at most. Negative: it is behind.
  std::int64_t to_first = 0;
  std::int64_t to_second = 0;
};

struct WarpResult {
  std::vector<WarpPair> pairs;  // compared: they disagree, or agree to within what is enough
  std::size_t untested = 0;     // pairs: no time, not allowed there, or nothing proved
  [[nodiscard]] WarpPair worst() const;
  [[nodiscard]] std::uint64_t within() const;  // of all pairs
};

// Tests the pairs of `cpus` for about `budget` in all: each pair if there is time, else such that
// each CPU is in some. CPUs that are apart by at most `enough` ticks count as agreeing. `progress`
// is told after each pair how many of how many are done. `read` gives the counter of the CPU that
// the thread was moved to.
WarpResult probe_warp(const std::vector<int>& cpus, Nanos budget, TickDelta enough,
                      const std::function<void(std::size_t, std::size_t)>& progress,
                      ReadCounter read);

struct PairTest {
  Nanos length;                // for so long
  Nanos patience;              // or up to this, where the CPUs are busy with others
  TickDelta enough;            // ticks that agreeing counters may be apart by
  std::uint64_t handoffs = 1;  // so many at least
};

// Compares one pair. False: not allowed on one of them, or nothing is proved: they don't disagree
// as seen, but might by more than what is enough.
bool test_pair(WarpPair& pair, const PairTest& how, ReadCounter read);

// The machine's own counter.
Ticks counter_of(int cpu);

// The pairs that are tested, in order, when there is time for `most`: neighbours first, so that
// every CPU comes in early.
std::vector<WarpPair> plan_pairs(const std::vector<int>& cpus, std::size_t most);

}  // namespace clockshim::cli
