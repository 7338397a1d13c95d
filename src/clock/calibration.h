// From samples to the next segment: rate, its uncertainty, and the line that works off the measured
// error. Pure functions of their arguments; no state, no atomics, no time of their own.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/segment.h"
#include "clock/policy.h"
#include "clock/sampler.h"

namespace clockshim {

// What is kept of a sample to measure the rate against.
struct Baseline {
  constexpr Baseline() = default;
  constexpr Baseline(Ticks tick, TickDelta bracket, Nanos clock)
      : at(tick), width(bracket), real(clock) {}
  constexpr Baseline(const Sample& s) : Baseline(s.at, s.width, s.real) {}
  Ticks at;
  TickDelta width;
  Nanos real;
};

// What is known of a clock's rate: two samples to measure it against, and the result.
struct Calibration {
  Baseline older;  // 0.5 to 1 s back while the clock is in use
  Baseline newer;  // the older one next
  Rate rate;       // not plausible(): not known yet
  std::int64_t uncertainty_ppb = 0;
};

inline Calibration calibration_from(const Sample& first) {
  return Calibration{first, first, Rate{}, 0};
}

// How far two rates are apart, in parts in 10^9 of the second.
inline std::int64_t deviation_ppb(Rate a, Rate b) {
  if (b.raw() == 0) return INT64_MAX;
  const Wide difference = static_cast<Wide>(a.raw()) - static_cast<Wide>(b.raw());
  return static_cast<std::int64_t>((difference < 0 ? -difference : difference) * kNanosPerSecond /
                                   b.raw());
}

// The rate between two samples, and what their brackets leave unknown of it. Not plausible(): they
// contradict each other.
struct MeasuredRate {
  Rate rate;
  std::int64_t uncertainty_ppb = 0;
};

inline MeasuredRate measured_rate(const Baseline& from, const Baseline& to) {
  const TickDelta ticks = to.at - from.at;
  const Nanos elapsed = to.real - from.real;
  if (ticks.backward() || elapsed.raw() <= 0) return {};
  const Rate rate = rate_of(ticks, elapsed);
  if (!rate.plausible()) return {};
  const Nanos unknown = to_nanos(TickDelta{from.width.raw() + to.width.raw()}, rate) + Nanos{1};
  const Wide ppb = static_cast<Wide>(unknown.raw()) * kNanosPerSecond / elapsed.raw();
  return {rate, static_cast<std::int64_t>(std::min<Wide>(ppb, kNanosPerSecond))};
}

// What a bracket is wider by than a steady one.
inline TickDelta slack_of(TickDelta width, TickDelta steady) {
  return TickDelta{width.raw() - std::min(width.raw(), steady.raw())};
}

// The measured rate, faster by what the two brackets' slack leaves open: see place_reading().
inline Rate late_rate(const MeasuredRate& measured, const Baseline& from, const Baseline& to,
                      TickDelta steady) {
  const std::uint64_t ticks = (to.at - from.at).raw();
  const std::uint64_t open = slack_of(from.width, steady).raw() + slack_of(to.width, steady).raw();
  return measured.rate.bent(static_cast<std::int64_t>(
      std::min<UnsignedWide>(static_cast<UnsignedWide>(open) * kNanosPerSecond / ticks,
                             static_cast<UnsignedWide>(measured.uncertainty_ppb))));
}

// Whether two measurements can be of one steady pace, slewed by NTP at most.
inline bool agree(const MeasuredRate& a, const MeasuredRate& b) {
  return a.rate.plausible() && b.rate.plausible() &&
         deviation_ppb(a.rate, b.rate) <= policy::kJumpPpb + a.uncertainty_ppb + b.uncertainty_ppb;
}

// A calibration that took in one more sample. jumped: that sample contradicts it; all is to be
// learned anew from there.
struct Update {
  Calibration calibration;
  bool jumped = false;
};

// Before the rate is known: it takes three samples whose two halves agree, so that a jump in
// between is not taken for a pace.
inline Update learned(Calibration c, const Sample& s, TickDelta steady) {
  const Nanos half{policy::kFirstBaseline.raw() / 2};
  const Nanos since = s.real - c.newer.real;
  if ((s.at - c.newer.at).backward() || since.raw() < 0) return {calibration_from(s), true};
  // The first sample was torn by a preemption, or by cold caches: this one is the better beginning.
  if (s.width.raw() < c.older.width.raw() / policy::kBracketOutlier) return {calibration_from(s)};
  if (since < half) return {c};
  if (c.newer.at == c.older.at) {
    c.newer = s;
    return {c};
  }
  if (!agree(measured_rate(c.older, c.newer), measured_rate(c.newer, s)))
    return {calibration_from(s), true};
  const MeasuredRate whole = measured_rate(c.older, s);
  c.rate = late_rate(whole, c.older, s, steady);
  c.uncertainty_ppb = whole.uncertainty_ppb;
  c.newer = s;
  return {c};
}

inline Update updated(Calibration c, const Sample& s, TickDelta steady) {
  if (!c.rate.plausible()) return learned(c, s, steady);
  const Nanos elapsed = s.real - c.older.real;
  if ((s.at - c.older.at).backward()) return {calibration_from(s), true};
  if (elapsed < policy::kFirstBaseline) return {c};
  const MeasuredRate measured = measured_rate(c.older, s);
  if (!agree(measured, {c.rate, c.uncertainty_ppb})) return {calibration_from(s), true};
  // A narrower measurement wins. A fresh one over a long baseline wins in any case: the kernel may
  // have slewed since.
  if (measured.uncertainty_ppb <= c.uncertainty_ppb || elapsed >= policy::kBaselineStep) {
    c.rate = late_rate(measured, c.older, s, steady);
    c.uncertainty_ppb = measured.uncertainty_ppb;
  }
  if (s.real - c.newer.real >= policy::kBaselineStep) {
    c.older = c.newer;
    c.newer = s;
  }
  return {c};
}

// The baseline starts anew at `s`, and the rate is kept: the clock was stepped, its pace was not.
// After a disturbance of another kind the rate is learned anew: where the pace has changed, a long
// baseline hides that at first, and the next segment would be as wrong.
inline Calibration rebased(Calibration c, const Sample& s) {
  c.older = s;
  c.newer = s;
  return c;
}

// What one sample leaves unknown: its bracket, and the step in which the real clock itself
// advances.
inline Nanos unknown_of(const Calibration& c, const Sample& s, Nanos granularity) {
  return to_nanos(s.width, c.rate) + granularity;
}

// error(t) <= unknown + (2 * uncertainty + 2 * slew) * t, and half the tolerance is kept in hand
// for what one resync finds and the next works off. Zero where the tolerance can't be kept on this
// clock. And no line is drawn further than the rate's uncertainty makes one bracket of it, which is
// half as long as the rate was measured for.
inline Nanos segment_length(const Calibration& c, Nanos unknown, Nanos tolerance) {
  if (unknown >= tolerance) return Nanos{0};
  const auto spent_at = [](std::int64_t nanos, std::int64_t ppb) {
    return Nanos{static_cast<std::int64_t>(static_cast<Wide>(nanos) * kNanosPerSecond / ppb)};
  };
  const std::int64_t budget = (tolerance - unknown).raw() / 2;
  const Nanos length = spent_at(budget, 2 * (c.uncertainty_ppb + policy::kSlewPpb));
  if (length < policy::kShortestSegment) return Nanos{0};
  const Nanos known = spent_at(unknown.raw(), std::max<std::int64_t>(c.uncertainty_ppb, 1));
  return std::min({length, std::max(known, policy::kShortestSegment), policy::kLongestSegment});
}

// Whether the tolerance could be kept if the rate were known perfectly.
inline bool reachable(const Calibration& c, Nanos unknown, Nanos tolerance) {
  return segment_length({c.older, c.newer, c.rate, 0}, unknown, tolerance).raw() != 0;
}

// The best tolerance that segment_length() would accept, for the message to the operator.
inline Nanos reachable_tolerance(const Calibration& c, Nanos unknown) {
  const std::int64_t drift = 2 * policy::kShortestSegment.raw() * 2 *
                             (c.uncertainty_ppb + policy::kSlewPpb) / kNanosPerSecond;
  return unknown + Nanos{drift + 1};
}

// The real clock at `t`. Where the clock advances in steps, the reading is taken to be late in its
// step, but for what the way back from it hides: no served time is before one that the kernel has
// ended a wait by.
inline Nanos estimate(const Calibration& c, const Sample& s, Ticks t, Nanos granularity) {
  const Nanos hidden = to_nanos(TickDelta{s.half_way.raw() / policy::kStepHiddenParts}, c.rate);
  const Nanos at = s.real + std::max(granularity - hidden, Nanos{0});
  const TickDelta since = t - s.at;
  return since.backward() ? at - to_nanos(s.at - t, c.rate) : at + to_nanos(since, c.rate);
}

// A bracket that is wider than a steady one does not say on which side of the reading it was held
// up: what the line of before says (`expected`, at `t`) is believed, as far as it lies within.
inline Sample settled(Sample s, const Calibration& c, TickDelta steady, Ticks t, Nanos expected,
                      Nanos granularity) {
  const TickDelta open = slack_of(s.width, steady);
  const Nanos ahead = estimate(c, s, t, granularity) - expected;
  if (ahead.raw() > 0) s.at = s.at + std::min(open, to_ticks(ahead, c.rate));
  return s;
}

// Where the successor starts, and what it aims at.
struct Joint {
  Ticks start;
  Nanos floor;  // the least value that may be served from here on
  bool may_brake =
      false;  // the floor is ahead by more than the tolerance, and the clock may not step back
};

// A line from the joint that is on the estimate at its end, without ever being below the floor.
inline Segment next_segment(const Calibration& c, const Sample& s, const Joint& joint, Nanos length,
                            Nanos granularity) {
  if (joint.may_brake) {
    // Held back hard and shortly, rather than a little for long.
    const Nanos ahead = joint.floor - estimate(c, s, joint.start, granularity);
    const Nanos at_slowest{static_cast<std::int64_t>(static_cast<Wide>(ahead.raw()) *
                                                     kNanosPerSecond / -policy::kBrakePpb)};
    length = std::clamp(at_slowest, policy::kShortestSegment,
                        std::max(length, policy::kShortestSegment));
  }
  const TickDelta ticks = to_ticks(length, c.rate);
  const Nanos goal = estimate(c, s, joint.start + ticks, granularity);
  const Rate fastest = c.rate.bent(policy::kBendPpb);
  const Rate slowest = c.rate.bent(joint.may_brake ? policy::kBrakePpb : -policy::kBendPpb);
  const Rate wanted = rate_of(ticks, std::max(goal - joint.floor, Nanos{0}));
  const Rate rate = std::clamp(wanted, slowest, fastest);
  // Where even the fastest rate does not get there, the joint jumps up: forwards is allowed.
  const Nanos base =
      wanted > fastest ? std::max(joint.floor, goal - to_nanos(ticks, fastest)) : joint.floor;
  return Segment{joint.start, ticks, rate, base};
}

}  // namespace clockshim
