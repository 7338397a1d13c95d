// How a sample of the real clock becomes a segment: the definitions of Resync. begin() and
// refresh() are the two ways, and what they are made of stands above them. clock/timeline_impl.h
// includes it.
#pragma once

#include <algorithm>

#include "base/segment.h"
#include "clock/calibration.h"
#include "clock/resync.h"

namespace clockshim {

// Fills in what check_coarse() compares the segment with. `coarse` was read before the sample. So a
// step in between is found at the next check; in the other order it would be taken for the normal
// state.
template <TimeSource Source>
void Resync<Source>::place_guard(Record& next, const Sample& s, const CoarsePair& coarse) noexcept {
  next.cpu = s.cpu;
  next.wall = coarse.wall();
  next.lead = estimate(next.calibration, s, s.before, Nanos{0}) - coarse.monotonic;
}

template <TimeSource Source>
CoarseCheck Resync<Source>::check_coarse(const Record& record) noexcept {
  CoarseCheck seen;
  seen.step = record.segment.length.raw();
  const Reading first = source_.reading();
  seen.gone_back = !call_.chain.includes(first.cpu) || (first.ticks - call_.now.ticks).backward();
  if (!read_coarse(seen.coarse)) return seen;
  const Reading last = source_.reading();
  const bool moved = seen.coarse.wall() != record.wall;
  seen.stepped = is_wall_clock(id()) && moved;
  const Nanos away = record.segment.at(call_.now.ticks) - seen.coarse.monotonic - record.lead;
  const Nanos far = state_.coarse_tick + policy::kCoarseSlack + state_.tolerance;
  seen.suspicious = magnitude(away) > far;
  seen.ahead = away > far;
  // When the machine sleeps, BOOTTIME and the wall clock advance and MONOTONIC does not: that moves
  // the coarse clocks apart.
  if (id() == CLOCK_BOOTTIME && moved) seen.suspicious = true;
  const std::uint64_t cost =
      history_.learn_check_cost(last.ticks - first.ticks, first.cpu == last.cpu);
  const std::uint64_t longest = record.segment.length.raw();
  const std::uint64_t least = to_ticks(policy::kCheckInterval, record.calibration.rate).raw();
  seen.step = cost > longest / policy::kCheckCostFactor
                  ? longest
                  : std::max(least, cost * policy::kCheckCostFactor);
  return seen;
}

// Otherwise one CPU would serve the old time while another serves the new one.
template <TimeSource Source>
void Resync<Source>::close_before_step(Nanos wall) noexcept {
  floors_.note_step();
  segments_.close_before_step(wall);
}

// Handles a sample that contradicts what was known: called once for each segment that was closed,
// or replaced, for it. If the sample came from another CPU, and the clock was not set, one of the
// two counters may be to blame. One contradiction may be a machine that slept; two without an
// agreement in between are two counters that disagree.
template <TimeSource Source>
void Resync<Source>::contradicted(unsigned cpu, const Record& record) noexcept {
  state_.figures.count_disturbance();
  const bool clock_to_blame =
      id() == CLOCK_TAI || (id() == CLOCK_REALTIME && state_.coarse_tick.raw() == 0);
  if (call_.chain.domain != kCommon || clock_to_blame || cpu == record.cpu || cpu == kNoCpu) return;
  Nanos now;
  if (!source_.real(CLOCK_BOOTTIME, now) || history_.contradicted(now))
    mode_.demote(ModeChange::residual, 0, segments_, state_.figures.record());
}

template <TimeSource Source>
void Resync<Source>::disturbed(SegmentRef ref, const Record& record, unsigned cpu,
                               const CoarsePair* stepped) noexcept {
  if (stepped != nullptr) {
    state_.figures.count_disturbance();
    return close_before_step(stepped->wall());
  }
  // What was built on it is as wrong. Loaded first: what has begun afresh since was not.
  const SegmentRef current = segments_.current(call_.chain);
  const SegmentRef head = segments_.head(call_.chain);
  if (!segments_.close(ref, Closed::disturbed)) return;
  segments_.close(current, Closed::disturbed);
  segments_.close(head, Closed::disturbed);
  contradicted(cpu, record);
}

template <TimeSource Source>
bool Resync<Source>::refresh(SegmentRef ref, SegmentRef head, const Record& record) noexcept {
  CoarsePair coarse;
  const bool guarded = read_coarse(coarse);
  const Brackets known = history_.brackets();
  Sample s = sample(known);
  if (!s.ok || is_preempted(s, known)) return true;  // the next call tries again
  if (!call_.chain.includes(s.cpu) || !record.segment.covers(s.before)) return true;
  const Nanos unknown = unknown_of(record.calibration, s, state_.granularity);
  if (unknown >= state_.tolerance)
    return true;  // no better sample can be had: the segment runs out, and begin() handles that
  history_.learn_width(s.width);
  const TickDelta steady = history_.brackets().steady;
  s = settled(s, record.calibration, steady, record.segment.end(), record.segment.end_value(),
              state_.granularity);

  const Nanos lead = record.segment.at(s.before) - s.real;
  const Nanos lag = s.real - record.segment.at(s.before + s.width);
  const Update update = updated(record.calibration, s, steady);
  const bool ahead = lead > state_.tolerance;
  // A clock that must not step back, and is ahead, is being slowed down already.
  const bool braking = record.segment.rate < record.calibration.rate.bent(policy::kBrakingPpb);
  if (lag > state_.tolerance || (ahead && !braking) || update.jumped) {
    const bool wall_stepped =
        is_wall_clock(id()) && guarded && read_coarse(coarse) && coarse.wall() != record.wall;
    if (!wall_stepped && record.gate.raw() != 0)
      state_.figures.error_at(record, s);  // the wrong times that were served are in the figures
    disturbed(ref, record, s.cpu, wall_stepped ? &coarse : nullptr);
    return false;
  }
  if (s.cpu != record.cpu) history_.agreed();
  if (ref != head) return true;
  Record next = successor(record, s, update.calibration, unknown);
  place_guard(next, s, coarse);
  state_.figures.count_resync(id(), coarse);
  state_.figures.error_at(record, s);
  segments_.publish(call_.chain, source_.thread(), head, next);
  // If the mode has changed meanwhile, the floor does not include what is served from here on.
  if (call_.chain.domain == kCommon && (mode_.bits() & kPerCpu) != 0)
    Mode::settle_clock(id(), segments_, floors_);
  return true;
}

template <TimeSource Source>
Record Resync<Source>::successor(const Record& record, const Sample& s,
                                 const Calibration& calibration, Nanos unknown) const noexcept {
  Record next;
  next.calibration = calibration;
  Nanos length = segment_length(calibration, unknown, state_.tolerance);
  if (length.raw() == 0) length = policy::kShortestSegment;
  const Ticks end = record.segment.end();
  const Nanos end_value = record.segment.end_value();
  const Nanos ahead = end_value - estimate(calibration, s, end, state_.granularity);
  next.segment =
      next_segment(calibration, s, {end, end_value, must_brake(ahead)}, length, state_.granularity);
  next.gate = TickDelta{0};  // the first call after the joint checks the coarse clocks
  return next;
}

// The upper bound of what was served from `last`, as of the sample. While a rate is being learned,
// a clock that is ahead advances at a tenth of real time.
template <TimeSource Source>
Nanos Resync<Source>::served_of(const Record& last, const Sample& s) noexcept {
  if (last.segment.length.raw() == 0) {
    const Nanos since = std::max(s.real - last.calibration.newer.real, Nanos{0});
    return last.segment.base + Nanos{since.raw() / policy::kLearningPace};
  }
  return last.closed == Closed::set ? last.value_by(s.before) : last.closing_value();
}

// Whether the clock was stepped since `last`, or since the floor was last updated: this CPU's chain
// may be new. `coarse` is null where the coarse clocks can't be read.
template <TimeSource Source>
bool Resync<Source>::find_step(const Record* last, const CoarsePair* coarse) noexcept {
  const Closed why = last == nullptr ? Closed::no : last->closed;
  const bool floor_stepped = coarse != nullptr && floors_.note_wall(id(), coarse->wall());
  if (is_wall_clock(id())) {
    if (floor_stepped) return true;
    if (last != nullptr &&
        (coarse != nullptr ? coarse->wall() != last->wall : why >= Closed::disturbed))
      return true;
  }
  // The coarse clocks do not show a change of TAI's offset. If this process has set a clock, it may
  // have been that. Where each CPU has a chain of its own, this one's may be new.
  if (id() == CLOCK_TAI &&
      (why == Closed::set || (call_.chain.domain != kCommon && floors_.note_sets(id()))))
    return true;
  // If the kernel's own monotonic clock has jumped, this is a child in another time namespace.
  return coarse != nullptr && last != nullptr &&
         last->segment.base - last->lead - coarse->monotonic > policy::kNamespaceStep;
}

// The least value that a segment which begins now may serve.
template <TimeSource Source>
Nanos Resync<Source>::least(const Record* last, const Sample& s, bool wall_stepped) noexcept {
  const bool common = call_.chain.domain == kCommon;
  const Nanos shared = floors_.lowered(id(), call_.floor_before, s.real, wall_stepped);
  // Where each CPU has a domain of its own, the floor alone keeps the order. The segment has to
  // start at the floor only if that is far ahead, so that the clock can advance.
  Nanos least = common || shared - s.real > state_.tolerance ? shared : Nanos{0};
  if (last != nullptr && (common || last->segment.length.raw() == 0)) {
    const Nanos served = served_of(*last, s);
    if (!wall_stepped || served - s.real <= floors_.step_back()) least = std::max(least, served);
  }
  return least;
}

// What is known of the rate after a sample that begins a segment.
template <TimeSource Source>
Update Resync<Source>::calibration_after(const Record* last, const Sample& s, bool wall_stepped,
                                         TickDelta steady) noexcept {
  if (last == nullptr) return {calibration_from(s)};
  if ((wall_stepped || last->closed == Closed::set) && last->calibration.rate.plausible())
    return {rebased(last->calibration, s)};
  if (last->closed == Closed::disturbed) return {calibration_from(s)};
  return updated(last->calibration, s, steady);
}

// Places the segment of `next`, whose rate is known, at the sample and not below the floor. False:
// the tolerance can't be kept.
template <TimeSource Source>
bool Resync<Source>::place_segment(Record& next, const Sample& s, Nanos floor) noexcept {
  const Nanos unknown = unknown_of(next.calibration, s, state_.granularity);
  const Nanos length = segment_length(next.calibration, unknown, state_.tolerance);
  if (length.raw() == 0) {
    // One sample may have been preempted, but not so many in a row. If only the rate is uncertain,
    // waiting improves it.
    const bool never_served = !history_.served();
    const bool can_be = reachable(next.calibration, unknown, state_.tolerance);
    if (!can_be && never_served && history_.too_wide()) {
      state_.given_up[id()].store(true, std::memory_order_relaxed);
      state_.figures.note_unreachable(id(), reachable_tolerance(next.calibration, unknown));
    }
    return false;
  }
  const Nanos arrival = estimate(next.calibration, s, s.before, state_.granularity);
  const Joint joint{s.before, std::max(arrival, floor), must_brake(floor - arrival)};
  next.segment = next_segment(next.calibration, s, joint, length, state_.granularity);
  next.gate =
      std::min(next.segment.length, to_ticks(policy::kCheckInterval, next.calibration.rate));
  return true;
}

template <TimeSource Source>
Attempt Resync<Source>::begin(SegmentRef head, SegmentRef current, const Record* last,
                              Nanos& out) noexcept {
  CoarsePair coarse;
  const bool guarded = read_coarse(coarse);
  const Sample s = sample(history_.brackets());
  if (s.refused) return Attempt::none;

  // The answer if no segment can be made.
  const bool wall_stepped = find_step(last, guarded ? &coarse : nullptr);
  if (wall_stepped && guarded)
    close_before_step(coarse.wall());  // before the floor is lowered, or some thread would raise it
                                       // again
  const Nanos floor = least(last, s, wall_stepped);
  out = std::max(floor, s.real);
  const bool was_learning = last != nullptr && last->segment.length.raw() == 0;
  const Closed why = last == nullptr ? Closed::no : last->closed;
  if ((last == nullptr || was_learning || why != Closed::no) && floor > s.real) {
    // This answer comes without a segment, so the floor must include it in case the CPUs' domains
    // are separated meanwhile.
    floors_.raise_unless_lowered(id(), call_.floor_before, out);
  }
  // The thread moved to another CPU, or the counter stands still: no segment can be made from this
  // sample.
  if (!s.ok || !call_.chain.includes(s.cpu)) return Attempt::real;

  if (why == Closed::over && !wall_stepped)
    state_.figures.error_at_end(*last, s, history_.brackets());
  history_.learn_width(s.width);
  const TickDelta steady = history_.brackets().steady;
  Record next;
  const Update update = calibration_after(last, s, wall_stepped, steady);
  next.calibration = update.calibration;
  const bool known = next.calibration.rate.plausible();
  if (known) {
    if (!place_segment(next, s, floor)) return Attempt::real;
    history_.note_served();
    state_.figures.count_resync(id(), coarse);
  } else {
    if (was_learning && next.calibration.newer.at == last->calibration.newer.at)
      return Attempt::real;  // the baseline is still too short, so there is nothing new to publish
    next.segment = Segment{s.before, TickDelta{0}, next.calibration.rate, out};
  }
  place_guard(next, s, coarse);
  return publish_first(head, current, next, update.jumped ? last : nullptr);
}

template <TimeSource Source>
Attempt Resync<Source>::publish_first(SegmentRef head, SegmentRef current, const Record& next,
                                      const Record* refuted) noexcept {
  switch (segments_.publish(call_.chain, source_.thread(), head, next)) {
    case SegmentStore::Published::done:
      if (refuted != nullptr) contradicted(next.cpu, *refuted);
      break;
    case SegmentStore::Published::lost: return Attempt::again;
    case SegmentStore::Published::no_slot: return Attempt::real;
  }
  if (call_.chain.domain == kCommon && (mode_.bits() & kPerCpu) != 0) {
    segments_.close(head, Closed::over);  // too late: it must not be served
    return Attempt::again;
  }
  segments_.make_current(call_.chain, current, head);
  // While the rate is being learned, there is only a calibration to publish.
  return next.calibration.rate.plausible() ? Attempt::again : Attempt::real;
}

}  // namespace clockshim
