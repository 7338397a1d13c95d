// Which segments belong together: those of one clock in one domain are a chain. Pure numbers, which
// index the arrays of everybody who keeps something for each chain.
#pragma once

#include <cstdint>

#include "base/clock_id.h"

namespace clockshim {

// The number of CPUs that can be told apart. Where counters are not trusted, CPUs with a higher
// number get the real clock.
inline constexpr unsigned kMaxCpus = 256;

// A domain is a set of CPUs that share their chains. Domain kCommon is for all CPUs, as long as
// their counters agree; domain 1 + n is for CPU n alone, if they do not.
inline constexpr unsigned kCommon = 0;
inline constexpr unsigned kDomains = 1 + kMaxCpus;
constexpr unsigned domain_of(unsigned cpu) { return 1 + cpu; }

// Only servable clocks have chains. This is the index of a clock's chain within its domain.
inline constexpr unsigned kChains = kServableClocks.size();
constexpr unsigned chain_place(unsigned id) {
  switch (static_cast<clockid_t>(id)) {
    case CLOCK_REALTIME: return 0;
    case CLOCK_MONOTONIC: return 1;
    case CLOCK_MONOTONIC_RAW: return 2;
    case CLOCK_BOOTTIME: return 3;
    default: return 4;  // CLOCK_TAI
  }
}
static_assert([] {
  for (unsigned i = 0; i < kChains; ++i) {
    if (chain_place(static_cast<unsigned>(kServableClocks[i].id)) != i) return false;
  }
  return true;
}());

// The clocks that can be stepped.
inline constexpr unsigned kWallClocks[] = {CLOCK_REALTIME, CLOCK_TAI};
constexpr bool is_wall_clock(unsigned id) { return id == CLOCK_REALTIME || id == CLOCK_TAI; }

struct ChainId {
  unsigned domain;  // < kDomains
  unsigned clock;   // the id of a servable clock

  // The index of the chain among those of its domain (< kChains), and among all.
  [[nodiscard]] constexpr unsigned place() const { return chain_place(clock); }
  [[nodiscard]] constexpr unsigned number() const { return domain * kChains + place(); }
  static constexpr ChainId numbered(unsigned number) {
    return {number / kChains, static_cast<unsigned>(kServableClocks[number % kChains].id)};
  }
  // Whether a counter value that was read on `cpu` may be used with this chain.
  [[nodiscard]] constexpr bool includes(unsigned cpu) const {
    return domain == kCommon || domain_of(cpu) == domain;
  }
};

}  // namespace clockshim
