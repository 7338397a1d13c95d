// Sampling the real clock, and what follows from it: the successor of a segment, or one that begins
// afresh. Included by timeline_impl.h only.
#pragma once

#include "clock/policy.h"
#include "clock/timeline.h"

namespace clockshim {

// Updates the usual and the shortest bracket. A preempted sample must not make them wide.
template <TimeSource Source>
void Timeline<Source>::learn_width(SegmentChain& chain, TickDelta width) noexcept {
  const std::uint64_t usual = chain.usual_width.load(std::memory_order_relaxed);
  const std::uint64_t counted = std::min(width.raw(), policy::kBracketOutlier * usual);
  const bool better = usual == 0 || width.raw() < usual / policy::kBracketOutlier;
  const std::uint64_t average =
      usual - usual / policy::kBracketMemory + counted / policy::kBracketMemory;
  chain.usual_width.store(better ? width.raw() : average, std::memory_order_relaxed);
  const std::uint64_t shortest = chain.shortest_width.load(std::memory_order_relaxed);
  const std::uint64_t risen = shortest + shortest / policy::kShortestMemory;
  chain.shortest_width.store(shortest == 0 ? width.raw() : std::min(width.raw(), risen),
                             std::memory_order_relaxed);
}

template <TimeSource Source>
Brackets Timeline<Source>::brackets(const SegmentChain& chain) noexcept {
  const std::uint64_t shortest = chain.shortest_width.load(std::memory_order_relaxed);
  return {TickDelta{chain.usual_width.load(std::memory_order_relaxed)},
          TickDelta{shortest * policy::kSteadyBracketEighths / 8}};
}

// Compares the segment with the real clock, and records the largest error that the bracket leaves
// possible.
template <TimeSource Source>
void Timeline<Source>::measure(const Record& record, const Sample& s) noexcept {
  if (!record.segment.covers(s.before) || !record.segment.covers(s.before + s.width)) return;
  const Nanos least = magnitude(record.segment.at(s.before) - s.real);
  const Nanos most = magnitude(record.segment.at(s.before + s.width) - s.real);
  record_->accuracy.record(least > most ? least : most, settings_.tolerance);
}

// Records the error of a segment that had ended before any thread refreshed it: the error where it
// was served last. Nothing is known about the time since, so that time has to be short.
template <TimeSource Source>
void Timeline<Source>::measure_end(const Record& last, const Sample& s,
                                   const Brackets& known) noexcept {
  const TickDelta since = s.before - (last.segment.start + last.gate);
  if (last.segment.length.raw() == 0 || last.gate.raw() == 0 || since.backward() ||
      since >= last.segment.length)
    return;
  if (s.width.raw() > known.usual.raw() * policy::kRefusedBracketFactor) return;
  const Nanos at_least = last.closing_value() + to_nanos(since, last.calibration.rate);
  const Nanos at_most = at_least + to_nanos(s.width, last.calibration.rate);
  record_->accuracy.record(std::max(magnitude(at_least - s.real), magnitude(at_most - s.real)),
                           settings_.tolerance);
}

template <TimeSource Source>
void Timeline<Source>::resynced(const Call& call, const CoarsePair& coarse) noexcept {
  record_->clocks[call.id].resyncs.fetch_add(1, std::memory_order_relaxed);
  if (coarse.monotonic.raw() != 0)
    record_->last_resync.store(coarse.monotonic.raw(), std::memory_order_relaxed);
}

// Fills in what check_coarse() compares the segment with. `coarse` was read before the sample. So a
// step in between is found at the next check; in the other order it would be taken for the normal
// state.
template <TimeSource Source>
void Timeline<Source>::place_guard(Record& next, const Sample& s,
                                   const CoarsePair& coarse) noexcept {
  next.cpu = s.cpu;
  next.wall = coarse.wall();
  next.lead = estimate(next.calibration, s, s.before, Nanos{0}) - coarse.monotonic;
}

// Handles a sample that contradicts what was known. If it came from another CPU, and the clock was
// not set, one of the two counters is to blame. One contradiction may be a machine that slept; two
// without an agreement in between are two counters that disagree.
template <TimeSource Source>
void Timeline<Source>::contradicted(const Call& call, unsigned cpu, const Record& record) noexcept {
  count_disturbance();
  const bool clock_to_blame =
      call.id == CLOCK_TAI || (call.id == CLOCK_REALTIME && settings_.coarse_tick.raw() == 0);
  if (call.domain != kCommon || clock_to_blame || cpu == record.cpu || cpu == kNoCpu) return;
  std::atomic<std::uint32_t>& so_far = chain_of(kCommon, call.id).contradictions;
  if (so_far.fetch_add(1, std::memory_order_relaxed) + 1 >= policy::kContradictions)
    demote(ModeChange::residual, 0);
}

// Closes the segment `ref`, which was found wrong; or all that are older than a step of the wall
// clock, where `stepped` gives the coarse clocks after the step.
template <TimeSource Source>
void Timeline<Source>::disturbed(const Call& call, SegmentRef ref, const Record& record,
                                 unsigned cpu, const CoarsePair* stepped) noexcept {
  if (stepped != nullptr) {
    count_disturbance();
    return close_stepping(stepped->wall());
  }
  if (close(ref, Closed::disturbed)) contradicted(call, cpu, record);
}

// Takes a sample and compares the segment with it. If the segment is the newest, it publishes a
// successor, which starts where the segment ends. Returns false if the segment was wrong, and is
// closed.
template <TimeSource Source>
bool Timeline<Source>::refresh(const Call& call, Source& source, SegmentRef ref, SegmentRef head,
                               const Record& record) noexcept {
  SegmentChain& chain = chain_of(call.domain, call.id);
  CoarsePair coarse;
  const bool guarded = read_coarse(source, coarse);
  const Brackets known = brackets(chain);
  Sample s = take_sample(source, static_cast<clockid_t>(call.id), known);
  if (!s.ok || s.width.raw() > known.usual.raw() * policy::kRefusedBracketFactor)
    return true;  // the sample was preempted; the next call tries again
  if ((call.domain != kCommon && domain_of(s.cpu) != call.domain) ||
      !record.segment.covers(s.before))
    return true;
  const Nanos unknown = unknown_of(record.calibration, s, settings_.granularity);
  if (unknown >= settings_.tolerance)
    return true;  // no better sample can be had: the segment runs out, and begin() handles that
  learn_width(chain, s.width);
  const TickDelta steady = brackets(chain).steady;
  s = settled(s, record.calibration, steady, record.segment.end(), record.segment.end_value(),
              settings_.granularity);

  const Nanos lead = record.segment.at(s.before) - s.real;
  const Nanos lag = s.real - record.segment.at(s.before + s.width);
  const Update update = updated(record.calibration, s, steady);
  const bool ahead = lead > settings_.tolerance;
  // A clock that must not step back, and is ahead, is being slowed down already.
  const bool braking = record.segment.rate < record.calibration.rate.bent(policy::kBrakingPpb);
  if (lag > settings_.tolerance || (ahead && !braking) || update.jumped) {
    const bool wall_stepped =
        steps(call.id) && guarded && read_coarse(source, coarse) && coarse.wall() != record.wall;
    if (!wall_stepped && record.gate.raw() != 0)
      measure(record, s);  // so that the wrong times that were served are in the figures
    disturbed(call, ref, record, s.cpu, wall_stepped ? &coarse : nullptr);
    return false;
  }
  if (s.cpu != record.cpu) chain.contradictions.store(0, std::memory_order_relaxed);
  if (ref != head) return true;
  Record next;
  next.calibration = update.calibration;
  Nanos length = segment_length(next.calibration, unknown, settings_.tolerance);
  if (length.raw() == 0) length = policy::kShortestSegment;
  const Ticks end = record.segment.end();
  const Nanos over =
      record.segment.end_value() - estimate(next.calibration, s, end, settings_.granularity);
  const Joint joint{end, record.segment.end_value(),
                    over > Nanos{settings_.tolerance.raw() / policy::kBrakeToleranceParts}};
  next.segment = next_segment(next.calibration, s, joint, length, settings_.granularity);
  next.gate = TickDelta{0};  // the first call after the joint checks the coarse clocks
  place_guard(next, s, coarse);
  resynced(call, coarse);
  measure(record, s);
  publish(call, source, head, next);
  if (call.domain == kCommon && (mode_bits() & kPerCpu) != 0) settle(call.id);
  return true;
}

// The upper bound of what was served from `last`, as of the sample. While a rate is being learned,
// a clock that is ahead advances at a tenth of real time.
template <TimeSource Source>
Nanos Timeline<Source>::served_of(const Record& last, const Sample& s) noexcept {
  if (last.segment.length.raw() == 0) {
    const Nanos since = std::max(s.real - last.calibration.newer.real, Nanos{0});
    return last.segment.base + Nanos{since.raw() / policy::kLearningPace};
  }
  return last.closed == Closed::set ? last.value_by(s.before) : last.closing_value();
}

// The least value that a segment which begins now may serve.
template <TimeSource Source>
Nanos Timeline<Source>::floor_of(const Call& call, const Record* last, const Sample& s,
                                 bool wall_stepped) noexcept {
  const Nanos arrival = s.real;
  // Load the floor again: the call may have been preempted since it began, and the floor lowered
  // with the wall clock.
  std::int64_t seen =
      std::min(call.floor_before, floors_[call.id].value.load(std::memory_order_acquire));
  const Nanos step_back{settings_.tolerance.raw() * policy::kStepTolerances};
  if (wall_stepped && Nanos{seen} - arrival > step_back) {
    // Other threads may still raise the floor to old times. It is below `seen` only if another
    // thread has lowered it.
    Floor& floor = floors_[call.id].value;
    for (std::int64_t old = seen;
         old >= seen &&
         !floor.compare_exchange_weak(old, arrival.raw(), std::memory_order_acq_rel);) {
    }
    seen = arrival.raw();
  }
  // Where each CPU has a domain of its own, the floor alone keeps the order. The segment has to
  // start at the floor only if that is far ahead, so that the clock can advance.
  Nanos floor{call.domain == kCommon || Nanos{seen} - arrival > settings_.tolerance ? seen : 0};
  if (last != nullptr && (call.domain == kCommon || last->segment.length.raw() == 0)) {
    const Nanos served = served_of(*last, s);
    if (!wall_stepped || served - arrival <= step_back) floor = std::max(floor, served);
  }
  return floor;
}

// There is no valid segment: takes a sample and starts a segment here.
template <TimeSource Source>
auto Timeline<Source>::begin(const Call& call, Source& source, SegmentRef head, SegmentRef current,
                             const Record* last, Nanos& out) noexcept -> ServeResult {
  SegmentChain& chain = chain_of(call.domain, call.id);
  CoarsePair coarse;
  const bool guarded = read_coarse(source, coarse);
  const Sample s = take_sample(source, static_cast<clockid_t>(call.id), brackets(chain));
  if (s.refused) return ServeResult::none;
  const Closed why = last == nullptr ? Closed::no : last->closed;
  // Look for a step since the floor was last updated, too: this CPU's chain may be new.
  std::atomic<std::int64_t>& floors_wall = floors_[call.id].wall;
  const bool floor_stepped =
      guarded &&
      floors_wall.exchange(coarse.wall().raw(), std::memory_order_acq_rel) != coarse.wall().raw();
  bool wall_stepped =
      steps(call.id) &&
      ((last != nullptr && (guarded ? coarse.wall() != last->wall : why >= Closed::disturbed)) ||
       floor_stepped);
  // The coarse clocks do not show a change of TAI's offset. If this process has set a clock, it may
  // have been that.
  wall_stepped |= call.id == CLOCK_TAI && why == Closed::set;
  if (guarded && last != nullptr &&
      last->segment.base - last->lead - coarse.monotonic > policy::kNamespaceStep) {
    // The kernel's own monotonic clock has jumped: this is a child in another time namespace.
    wall_stepped = true;
  }
  if (wall_stepped && guarded)
    close_stepping(
        coarse.wall());  // before the floor is lowered, or some thread would raise it again
  const Nanos floor = floor_of(call, last, s, wall_stepped);
  out = std::max(floor, s.real);  // the answer if no segment can be made
  if ((last == nullptr || last->segment.length.raw() == 0 || last->closed != Closed::no) &&
      floor > s.real) {
    // This answer comes without a segment, so the floor must include it in case the CPUs' domains
    // are separated meanwhile.
    std::int64_t seen = call.floor_before;
    Floor& shared = floors_[call.id].value;
    while (seen >= call.floor_before && seen < out.raw() &&
           !shared.compare_exchange_weak(seen, out.raw(), std::memory_order_acq_rel)) {
    }
  }
  // The thread moved to another CPU, or the counter stands still: no segment can be made from this
  // sample.
  if (!s.ok || (call.domain != kCommon && domain_of(s.cpu) != call.domain))
    return ServeResult::real;

  if (why == Closed::over && !wall_stepped) measure_end(*last, s, brackets(chain));
  learn_width(chain, s.width);
  const TickDelta steady = brackets(chain).steady;
  Record next;
  const bool keeps_rate =
      last != nullptr && (wall_stepped || why == Closed::set) && last->calibration.rate.plausible();
  if (keeps_rate) {
    next.calibration = rebased(last->calibration, s);
  } else if (last == nullptr || why == Closed::disturbed) {
    next.calibration = calibration_from(s);
  } else {
    const Update update = updated(last->calibration, s, steady);
    if (update.jumped) contradicted(call, s.cpu, *last);
    next.calibration = update.calibration;
  }
  const bool known = next.calibration.rate.plausible();
  next.segment = Segment{s.before, TickDelta{0}, next.calibration.rate, out};
  if (known) {
    const Nanos unknown = unknown_of(next.calibration, s, settings_.granularity);
    const Nanos length = segment_length(next.calibration, unknown, settings_.tolerance);
    if (length.raw() == 0) {
      // One sample may have been preempted, but not so many in a row. If only the rate is
      // uncertain, waiting improves it.
      const bool never_served = !chain.served.load(std::memory_order_relaxed);
      const bool can_be = reachable(next.calibration, unknown, settings_.tolerance);
      if (!can_be && never_served &&
          chain.too_wide.fetch_add(1, std::memory_order_relaxed) >= policy::kTooWideSamples)
        mark_tolerance_unreachable(call.id, reachable_tolerance(next.calibration, unknown));
      return ServeResult::real;
    }
    const Nanos arrival = estimate(next.calibration, s, s.before, settings_.granularity);
    const Joint joint{
        s.before, std::max(arrival, floor),
        floor - arrival > Nanos{settings_.tolerance.raw() / policy::kBrakeToleranceParts}};
    next.segment = next_segment(next.calibration, s, joint, length, settings_.granularity);
    next.gate =
        std::min(next.segment.length, to_ticks(policy::kCheckInterval, next.calibration.rate));
    chain.served.store(true, std::memory_order_relaxed);
    resynced(call, coarse);
  } else if (last != nullptr && last->segment.length.raw() == 0 &&
             next.calibration.newer.at == last->calibration.newer.at) {
    return ServeResult::real;  // the baseline is still too short, so there is nothing new to
                               // publish
  }
  place_guard(next, s, coarse);
  switch (publish(call, source, head, next)) {
    case Publish::done:
      if (call.domain == kCommon &&
          (mode_bits() & kPerCpu) != 0) {  // too late: it must not be served
        close(head, Closed::over);
        return ServeResult::again;
      }
      current_[call.domain][call.id].compare_exchange_strong(current, head,
                                                             std::memory_order_acq_rel);
      break;
    case Publish::lost: return ServeResult::again;
    case Publish::no_slot: return ServeResult::real;
  }
  return known ? ServeResult::again : ServeResult::real;
}

}  // namespace clockshim
