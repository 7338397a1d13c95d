// From samples to the next segment: rate, its uncertainty, and the line that works off the measured error.
// Pure functions of their arguments; no state, no atomics, no time of their own.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/segment.h"
#include "clock/policy.h"
#include "clock/sampler.h"

namespace clockshim {

// What is known of a clock's rate: two samples to measure it against, and the result.
struct Calibration {
  Sample older;  // the baseline: 0.5 to 1 s back while the clock is in use
  Sample newer;  // becomes the baseline next
  Rate rate;     // not plausible(): not known yet
  std::int64_t uncertainty_ppb = 0;
};

inline Calibration calibration_from(const Sample& first) { return Calibration{first, first, Rate{}, 0}; }

// How far two rates are apart, in parts in 10^9 of the second.
inline std::int64_t deviation_ppb(Rate a, Rate b) {
  if (b.raw() == 0) return INT64_MAX;
  const Wide difference = static_cast<Wide>(a.raw()) - static_cast<Wide>(b.raw());
  return static_cast<std::int64_t>((difference < 0 ? -difference : difference) * kNanosPerSecond / b.raw());
}

// Takes in one more sample. The rate's uncertainty is that of its two brackets over the baseline.
inline Calibration updated(Calibration c, const Sample& s) {
  const TickDelta ticks = s.before - c.older.before;
  const Nanos elapsed = s.real - c.older.real;
  if (elapsed < policy::kFirstBaseline || ticks.backward()) return c;
  const Rate measured = rate_of(ticks, elapsed);
  if (!measured.plausible()) return c;
  const Nanos unknown = to_nanos(TickDelta{c.older.width.raw() + s.width.raw()}, measured) + Nanos{1};
  const std::int64_t uncertainty =
      static_cast<std::int64_t>(std::min<Wide>(static_cast<Wide>(unknown.raw()) * kNanosPerSecond / elapsed.raw(), kNanosPerSecond));
  // A narrower measurement wins, unless it says what no slew can do: then the clock was nudged, and its pace is as before.
  // A fresh one over a long baseline wins in any case: the kernel may have slewed since.
  const bool narrower =
      uncertainty <= c.uncertainty_ppb && deviation_ppb(measured, c.rate) <= policy::kSlewPpb + c.uncertainty_ppb + uncertainty;
  if (!c.rate.plausible() || narrower || elapsed >= policy::kBaselineStep) {
    c.rate = measured;
    c.uncertainty_ppb = uncertainty;
  }
  if (s.real - c.newer.real >= policy::kBaselineStep) {
    c.older = c.newer;
    c.newer = s;
  }
  return c;
}

// Starts the baseline anew at `s` and keeps the rate: the clock was stepped, its pace was not.
inline Calibration rebased(Calibration c, const Sample& s) {
  c.older = s;
  c.newer = s;
  return c;
}

// error(t) <= bracket + (2 * uncertainty + 2 * slew) * t, and half the tolerance is kept in hand for what one resync
// finds and the next works off. Zero where the tolerance can't be kept on this clock.
inline Nanos segment_length(const Calibration& c, const Sample& s, Nanos tolerance) {
  const Nanos bracket = to_nanos(s.width, c.rate);
  if (bracket >= tolerance) return Nanos{0};
  const std::int64_t budget = (tolerance - bracket).raw() / 2;
  const std::int64_t ppb = 2 * (c.uncertainty_ppb + policy::kSlewPpb);
  const Nanos length{static_cast<std::int64_t>(static_cast<Wide>(budget) * kNanosPerSecond / ppb)};
  return length < policy::kShortestSegment ? Nanos{0} : std::min(length, policy::kLongestSegment);
}

// The best tolerance that segment_length() would accept for this bracket, for the message to the operator.
inline Nanos reachable_tolerance(const Calibration& c, const Sample& s) {
  const std::int64_t drift = 2 * policy::kShortestSegment.raw() * 2 * (c.uncertainty_ppb + policy::kSlewPpb) / kNanosPerSecond;
  return to_nanos(s.width, c.rate) + Nanos{drift + 1};
}

// The real clock at `t` or a little more, never less: the sample's reading is taken to belong to the bracket's beginning,
// and the rate to be at the upper end of its uncertainty. Serving from the late side lets `while (now() < deadline)
// wait(deadline)` end at its first turn, and makes a real reading after a served one the rarer surprise.
inline Nanos late_estimate(const Calibration& c, const Sample& s, Ticks t) {
  return s.real + to_nanos(t - s.before, c.rate.bent(c.uncertainty_ppb));
}

// A line that starts at `start` and is on the late estimate at its end, without ever being below `floor`.
// may_brake: the floor is ahead by more than the tolerance, and the clock may not step back.
inline Segment next_segment(const Calibration& c, const Sample& s, Ticks start, Nanos floor, Nanos length, bool may_brake) {
  const TickDelta ticks = to_ticks(length, c.rate);
  const Nanos goal = late_estimate(c, s, start + ticks);
  const Rate fastest = c.rate.bent(policy::kBendPpb);
  const Rate slowest = c.rate.bent(may_brake ? policy::kBrakePpb : -policy::kBendPpb);
  const Rate wanted = rate_of(ticks, std::max(goal - floor, Nanos{0}));
  const Rate rate = std::clamp(wanted, slowest, fastest);
  // Where even the fastest rate does not get there, the joint jumps up: late by design, and forwards is allowed.
  const Nanos base = wanted > fastest ? std::max(floor, goal - to_nanos(ticks, fastest)) : floor;
  return Segment{start, ticks, rate, base};
}

}  // namespace clockshim
