// Chooses the constants by which the CPUs' counters differ, from what handoffs between them have
// shown. Pure.
//
// If counter i reads common time + o[i], then the least of many differences "reading of j less the
// reading of i that it was handed" is o[j] - o[i] + the time of the fastest handoff. No handoff
// takes negative time, so each pair gives two difference constraints:
//
//   o[j] - o[i] <= to_j      and      o[i] - o[j] <= to_i.
//
// What is left of a constraint, to_j - (o[j] - o[i]), is its slack: by so much a handoff would have
// to be faster than the fastest one seen to show corrected time going back. The least slack is the
// margin.
//
// In the graph with an arc of length to_j from i to j, offsets with margin m exist if and only if
// no cycle has negative length once m is taken off each arc: the greatest margin is the minimum
// cycle mean, and shortest paths are such offsets (Bellman 1958; Karp 1978). They are not unique:
// CPUs off the tightest cycle would end up at the edges of what they are allowed. So the offsets
// chosen here are those of the minimum-balanced graph (Schneider and Schneider 1991), where for
// each set of CPUs the least slack into the set is the least slack out of it: each CPU, each socket
// and each other group lies in the middle of what is open to it. The algorithm is that of Young,
// Tarjan and Orlin (Networks 21, 1991), on a matrix: raise the margin and follow the shortest
// paths, contract each cycle that becomes tight, and go on until one CPU is left.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace clockshim::cli {

// What is known of two counters. CPUs are numbered from 0 here.
struct PairBounds {
  std::size_t first = 0;
  std::size_t second = 0;
  std::int64_t to_first = 0;   // o[first] - o[second] is at most this, in ticks
  std::int64_t to_second = 0;  // o[second] - o[first] is at most this
};

struct CounterOffsets {
  std::vector<std::int64_t> offsets;  // ticks by which each counter is ahead; the least is 0
  std::vector<bool> compared;         // CPUs that pairs connect with CPU 0
  // Ticks, at most one below the greatest possible; if it is not positive, no constants satisfy
  // the bounds (0 where nothing was compared).
  std::int64_t margin = 0;
};

// The CPUs are 0 to `cpus` - 1. A CPU that no chain of pairs connects with CPU 0 is not compared,
// its offset is 0 and its pairs are ignored. Takes 2 n^3 steps at most until the margin is known (a
// node's depth in the tree only grows, and each time one row is looked through), usually far fewer,
// and the centring is bounded: 0.02 to 0.04 s of CPU time for 256 CPUs and all of their pairs.
CounterOffsets choose_offsets(std::size_t cpus, const std::vector<PairBounds>& pairs);

// The least slack that these offsets leave; the largest int64 if there are no pairs.
std::int64_t margin_of(const std::vector<PairBounds>& pairs,
                       const std::vector<std::int64_t>& offsets);

// The most by which a corrected counter can be ahead of another, in ticks, over all CPUs that pairs
// connect; of two that were not compared with each other, by way of others. The margin must not be
// negative. Takes n^3 steps, 20 ms for 256 CPUs.
std::uint64_t spread_of(std::size_t cpus, const std::vector<PairBounds>& pairs,
                        const std::vector<std::int64_t>& offsets);

}  // namespace clockshim::cli
