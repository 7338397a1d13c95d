// Compares the CPUs' counters. Two threads on two CPUs take turns and hand each other the newest
// reading. One that is behind the reading that it was handed proves that they do not agree (Linux
// does the same at boot, arch/x86/kernel/tsc_sync.c). The duration of a handoff hides smaller
// differences. So the shortest handoffs in both directions also give the most by which the counters
// can differ; if that is too much (the CPUs are busy), nothing is proved of the pair.
//
// Many pairs are compared at the same time, in rounds, in each of which a CPU is in one pair at
// most. SMT siblings are two CPUs here. While they are in different pairs, each takes time from the
// other; that makes their handoffs slower and proves less, but nothing false.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/nanos.h"
#include "base/ticks.h"

namespace clockshim::cli {

using ReadCounter = Ticks (*)(int cpu);

// What a short time shows of two counters. It leaves room for a drift of up to 1000 ppm within it.
struct Glimpse {
  Ticks at;  // on the first one's counter
  std::int64_t to_first = 0;
  std::int64_t to_second = 0;
};

struct WarpPair {
  int first = 0;
  int second = 0;
  bool proved = false;         // they were seen to be apart by at most so much, or to disagree
  std::uint64_t handoffs = 0;  // how often one took over from the other
  std::uint64_t backward = 0;  // readings that were behind the one handed over
  std::uint64_t greatest = 0;  // in ticks, the largest such difference
  std::uint64_t within = 0;    // neither is ahead of the other by more than this many ticks
  // The minimum time of a handoff to each of the two, in ticks, less the offset by which the
  // receiver is behind: the most by which the receiver can be ahead. Negative: it is behind.
  std::int64_t to_first = 0;
  std::int64_t to_second = 0;
  // The first of it, and the last. Empty if the CPUs were too busy.
  std::vector<Glimpse> glimpses;
};

struct WarpResult {
  std::vector<WarpPair> pairs;  // compared: they disagree, or agree closely enough
  std::size_t untested = 0;     // pairs without a result: no time, not allowed, or nothing proved
  [[nodiscard]] WarpPair worst() const;
  [[nodiscard]] std::uint64_t within() const;  // the maximum of all pairs
};

// Pairs that are compared at the same time: no CPU is in two of them.
using Round = std::vector<WarpPair>;

// Each CPU with each other, as a tournament is played (the circle method): n - 1 rounds for an even
// number of CPUs, n for an odd one. If there are more than `most` rounds, the first `most`: any two
// consecutive ones connect all CPUs.
std::vector<Round> plan_rounds(const std::vector<int>& cpus, std::size_t most);

struct PassTest {
  Nanos length;            // how long to compare each pair
  Nanos patience;          // how much longer all of it may take, if CPUs are busy
  TickDelta enough;        // half of what two handoffs may take: so close are the bounds to be
  std::uint64_t handoffs;  // the minimum number: fewer may be chance
};

// What compares pairs, so that tests can have a machine of their own.
class PairComparer {
 public:
  PairComparer() = default;
  PairComparer(const PairComparer&) = delete;
  PairComparer& operator=(const PairComparer&) = delete;
  virtual ~PairComparer() = default;
  // Compares all pairs once, and writes to each what was found. The time is bounded by the rounds'
  // lengths and the patience, with some milliseconds for the threads' start.
  virtual void compare(std::vector<Round>& rounds, const PassTest& how) = 0;
  virtual void pause(Nanos length) = 0;
};

// This machine's CPUs: a thread for each, for the time of compare(). `read` returns the counter of
// the CPU that the thread was moved to.
class CpuComparer final : public PairComparer {
 public:
  CpuComparer(ReadCounter read, double ns_per_tick) : read_(read), ns_per_tick_(ns_per_tick) {}
  void compare(std::vector<Round>& rounds, const PassTest& how) override;
  void pause(Nanos length) override;

 private:
  ReadCounter read_;
  double ns_per_tick_;
};

// Reads the machine's own counter.
Ticks counter_of(int cpu);

}  // namespace clockshim::cli
