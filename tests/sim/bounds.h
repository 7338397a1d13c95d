// What a read may return after a disturbance, for how long, and which clocks: promises 2 to 4 in
// figures.
#pragma once

#include <cstdint>

#include "base/clock_id.h"
#include "plan.h"

namespace sim {

// Beyond the tolerance, a read that ends after `from` and begins before `until` may be
struct Allowance {
  Kind kind{};
  clockshim::ClockMask clocks = 0;
  Ps from = 0;
  Ps until = 0;
  Ps until_if_preempted = 0;  // where a thread was preempted inside a call meanwhile
  std::int64_t ahead = 0;     // of the real clock by so much more, in ns
  std::int64_t behind = 0;    // it
  std::int64_t backward = 0;  // below a read before it
  bool stepped_back = false;  // below any read before it: the real clock was
  bool told = true;           // how long reads were wrong by it is in the table
  Ps after_demotion =
      0;  // > 0: `until` is only a limit; it is over so long after the CPUs' counters were parted
};

Allowance allowance(const Disturbance& disturbance, const Plan& plan);

// A step back that nobody asks the time after, until the clock is back at where it was but for two
// tolerances: waited out as a smaller one is.
Allowance late_step_back(const Disturbance& disturbance, const Plan& plan);

// Somebody looks at the coarse clocks after so much counter time, and the look itself takes a
// while.
inline constexpr Ps kLook = 100 * kUs + kUs;

// A clock that is held back until the real one has caught up runs at a tenth of the counter's pace
// or more, and the counter at half its own or more: so no clock, at no time, is slower than this
// many parts of the true time ...
inline constexpr std::int64_t kSlowestPart = 20;
// ... but for so many tolerances' worth: a step back of less than two is waited out.
inline constexpr std::int64_t kStandsStillTolerances = 3;

// Parting the CPUs makes a floor of all that may have been served: up to the gate, which is 100 us.
// It is held back from there.
inline constexpr std::int64_t kPartingAheadNs = 101'000;
inline constexpr Ps kParting = kPartingAheadNs * kNs * 10 / 9 + 10 * kUs;
// A clock that was ahead is let go by a rate that is as uncertain as the brackets are, and the
// clock's granularity.
inline constexpr std::int64_t kLetGoNs = 500;

// A line is evaluated to a nanosecond below.
inline constexpr std::int64_t kRoundingNs = 2;

}  // namespace sim
