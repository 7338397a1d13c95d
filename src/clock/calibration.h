// From samples to the next segment: the rate, its uncertainty, and the segment that works off the
// measured error. These are pure functions of their arguments. They keep no state, use no atomics
// and read no clock.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/segment.h"
#include "clock/policy.h"
#include "clock/sampler.h"

namespace clockshim {

// The part of a sample that a rate is measured against.
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
  Baseline newer;  // becomes `older` next
  Rate rate;       // not plausible() while it is unknown
  std::int64_t uncertainty_ppb = 0;
};

inline Calibration calibration_from(const Sample& first) {
  return Calibration{first, first, Rate{}, 0};
}

// The distance of two rates, in parts in 10^9 of the second one.
inline std::int64_t deviation_ppb(Rate a, Rate b) {
  if (b.raw() == 0) return INT64_MAX;
  const Wide difference = static_cast<Wide>(a.raw()) - static_cast<Wide>(b.raw());
  return static_cast<std::int64_t>((difference < 0 ? -difference : difference) * kNanosPerSecond /
                                   b.raw());
}

// The rate between two samples, and its uncertainty, which follows from the widths of their
// brackets. A rate that is not plausible() means that the samples contradict each other.
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

// By how many ticks a bracket is wider than a steady one.
inline TickDelta slack_of(TickDelta width, TickDelta steady) {
  return TickDelta{width.raw() - std::min(width.raw(), steady.raw())};
}

// The measured rate, raised by what would make it early: the first reading was later in its
// bracket, by its slack, or the last one earlier, by what settled() has moved it. So it is late by
// the delays alone, and wrong by no more than its uncertainty.
inline Rate late_rate(const MeasuredRate& measured, const Baseline& from, const Sample& to,
                      TickDelta steady) {
  const std::uint64_t ticks = (to.at - from.at).raw();
  const std::uint64_t open =
      slack_of(from.width, steady).raw() + (to.at - to.before).raw() - to.half_way.raw();
  return measured.rate.bent(static_cast<std::int64_t>(
      std::min<UnsignedWide>(static_cast<UnsignedWide>(open) * kNanosPerSecond / ticks,
                             static_cast<UnsignedWide>(measured.uncertainty_ppb))));
}

// Whether two measurements are compatible with one steady rate that NTP slews at most.
inline bool agree(const MeasuredRate& a, const MeasuredRate& b) {
  return a.rate.plausible() && b.rate.plausible() &&
         deviation_ppb(a.rate, b.rate) <= policy::kJumpPpb + a.uncertainty_ppb + b.uncertainty_ppb;
}

// A calibration that includes one more sample. `jumped` means that the sample contradicts it, so
// that everything must be learned again from that sample on.
struct Update {
  Calibration calibration;
  bool jumped = false;
};

// Takes in a sample while the rate is unknown. Three samples are needed, and their two halves must
// agree, so that a jump in between is not mistaken for a rate.
inline Update learned(Calibration c, const Sample& s, TickDelta steady) {
  const Nanos half{policy::kFirstBaseline.raw() / 2};
  const Nanos since = s.real - c.newer.real;
  if ((s.at - c.newer.at).backward() || since.raw() < 0) return {calibration_from(s), true};
  // The first sample was preempted or met cold caches, so this one is the better start.
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
  // A narrower measurement replaces the old one. A fresh one over a long baseline always does,
  // because the kernel may have slewed since.
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

// Restarts the baseline at `s` and keeps the rate, for a clock that was stepped: its rate did not
// change. After any other disturbance the rate must be learned again, because a long baseline would
// hide a change of the rate at first, and the next segment would be just as wrong.
inline Calibration rebased(Calibration c, const Sample& s) {
  c.older = s;
  c.newer = s;
  return c;
}

// The uncertainty of one sample: its bracket, plus the step in which the real clock itself
// advances.
inline Nanos unknown_of(const Calibration& c, const Sample& s, Nanos granularity) {
  return to_nanos(s.width, c.rate) + granularity;
}

// How long a segment may be, given that error(t) <= unknown + (2 * uncertainty + 2 * slew) * t.
// Half of the tolerance is reserved for the error that one resync finds and the next works off.
// Returns 0 if the tolerance can't be kept on this clock. A segment is also no longer than the time
// in which the rate's uncertainty adds up to one bracket, which is half of the time over which the
// rate was measured.
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

// Whether the tolerance could be kept if the rate were known exactly.
inline bool reachable(const Calibration& c, Nanos unknown, Nanos tolerance) {
  return segment_length({c.older, c.newer, c.rate, 0}, unknown, tolerance).raw() != 0;
}

// The smallest tolerance that segment_length() would accept, for the message to the operator.
inline Nanos reachable_tolerance(const Calibration& c, Nanos unknown) {
  const std::int64_t drift = 2 * policy::kShortestSegment.raw() * 2 *
                             (c.uncertainty_ppb + policy::kSlewPpb) / kNanosPerSecond;
  return unknown + Nanos{drift + 1};
}

// Estimates the real clock at `t`. If the clock advances in steps, the reading is assumed to be
// late in its step, by as much as the way back from the reading does not hide. So no served time is
// earlier than a time at which the kernel has ended a wait.
inline Nanos estimate(const Calibration& c, const Sample& s, Ticks t, Nanos granularity) {
  const Nanos hidden = to_nanos(TickDelta{s.half_way.raw() / policy::kStepHiddenParts}, c.rate);
  const Nanos at = s.real + std::max(granularity - hidden, Nanos{0});
  const TickDelta since = t - s.at;
  return since.backward() ? at - to_nanos(s.at - t, c.rate) : at + to_nanos(since, c.rate);
}

// Moves the reading of a sample within its bracket. A bracket that is wider than a steady one does
// not say on which side of the reading it was held up. So the previous segment is believed, which
// says `expected` at `t`, as far as its time lies within the bracket.
inline Sample settled(Sample s, const Calibration& c, TickDelta steady, Ticks t, Nanos expected,
                      Nanos granularity) {
  const TickDelta open = slack_of(s.width, steady);
  const Nanos ahead = estimate(c, s, t, granularity) - expected;
  if (ahead.raw() > 0) s.at = s.at + std::min(open, to_ticks(ahead, c.rate));
  return s;
}

// Where the successor starts, and under which constraints.
struct Joint {
  Ticks start;
  Nanos floor;             // the least value that may be served from here on
  bool may_brake = false;  // the floor is ahead by more than half of the tolerance, and the clock
                           // must not step back
};

// A segment that starts at the joint and meets the estimate at its end, but never goes below the
// floor.
inline Segment next_segment(const Calibration& c, const Sample& s, const Joint& joint, Nanos length,
                            Nanos granularity) {
  if (joint.may_brake) {
    // Brake hard for a short time, rather than a little for a long time.
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
  // If even the fastest rate does not reach the goal, the value jumps at the joint: a jump forwards
  // is allowed.
  const Nanos base =
      wanted > fastest ? std::max(joint.floor, goal - to_nanos(ticks, fastest)) : joint.floor;
  return Segment{joint.start, ticks, rate, base};
}

}  // namespace clockshim
