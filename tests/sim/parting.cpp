#include "parting.h"

#include <algorithm>
#include <cstdlib>

namespace sim {
namespace {

// A segment is wrong for at most its own length: whose counter is ahead comes to its end first, and
// the others find themselves before the start of the next one.
constexpr Ps kLongestSegment = 4 * kMs;
// That many times each CPU has to be heard: once for the segment, then two readings behind another.
constexpr Ps kTurns = 5;

}  // namespace

void Parting::read(unsigned cpu, clockid_t id, Ps begin, Ps end) {
  Gap& gap = gaps_[cpu][id];
  if (jump_.at != 0 && parted_ == 0)
    gap.longest = std::max(gap.longest, end - std::max(gap.since, jump_.at));
  gap.since = begin;
}

Ps Parting::bound(Ps now, const Plan& plan) const {
  if (jump_.at == 0) return 0;
  const Ps over = parted_ == 0 ? now : parted_;
  Ps bound = 0;
  for (const clockid_t id : plan.clocks) {
    Ps longest = 0;
    for (unsigned cpu = 0; cpu < plan.cpus; ++cpu) {
      const Gap& gap = gaps_[cpu][id];
      longest = std::max({longest, gap.longest, over - std::max(gap.since, jump_.at)});
    }
    // What is read less often than by how much the counters are apart may miss each other.
    const Ps size = std::abs(jump_.amount) * kNs;
    const Ps found = kLongestSegment + kTurns * longest;
    if (longest < size && size > plan.tolerance * kNs && (bound == 0 || found < bound))
      bound = found;
  }
  return bound;
}

}  // namespace sim
