// The slow side of Timeline: which segment a call is served from, and advancing to a published
// successor. It is for whoever instantiates a Timeline: served_clock.cpp for the kernel's clocks,
// tests for the time sources that they make up. Everybody else includes clock/timeline.h and links.
#pragma once

#include <algorithm>

#include "clock/policy.h"
#include "clock/resync_impl.h"
#include "clock/timeline.h"

namespace clockshim {

// Serves a call from a segment that is open. Its gate may be closed because a check is due, because
// a refresh is due, or because the segment has ended.
template <TimeSource Source>
Attempt Timeline<Source>::serve(Resync<Source>& resync, const SlowCall& call, Source& source,
                                SegmentRef ref, SegmentRef head, const Record& record,
                                Nanos& out) noexcept {
  const TickDelta age = call.now.ticks - record.segment.start;
  if (age.backward()) {
    // The reading was taken before another thread began this segment. If the next reading is no
    // better, a counter went backwards.
    const Reading later = source.reading();
    if (call.chain.includes(later.cpu) && (later.ticks - record.segment.start).backward())
      resync.disturbed(ref, record, later.cpu);
    return Attempt::again;
  }
  if (age >= record.segment.length) {
    if (resync.has_ended(record.segment.end())) segments_.close(ref, Closed::over);
    return Attempt::again;
  }
  out = record.segment.at(call.now.ticks);
  if (age < record.gate) return Attempt::served;

  const CoarseCheck seen = resync.check_coarse(record);
  if (seen.gone_back) return Attempt::again;  // the reading would be one of the time to come
  if (seen.stepped) {
    resync.disturbed(ref, record, call.now.cpu, &seen.coarse);
    return Attempt::again;
  }
  ChainHistory& history = state_.histories.of(call.chain);
  const bool due = ref == head && age >= record.due();
  const bool claimed = due && history.claim_refresh(call.now.ticks);
  // Whoever suspects the segment looks for itself: the one that refreshes it may be held up.
  if (claimed || seen.suspicious) {
    const bool good = resync.refresh(ref, head, record);
    if (claimed) history.end_refresh();
    if (!good) return Attempt::again;
  }
  return segments_.advance_gate(ref, record, age, seen.step) ? Attempt::served : Attempt::again;
}

// One attempt at an answer.
template <TimeSource Source>
Attempt Timeline<Source>::try_serve(const SlowCall& call, Source& source, Nanos& out) noexcept {
  Resync<Source> resync{segments_, floors_, mode_, state_, source, call};
  SegmentRef current = segments_.current(call.chain);
  const SegmentRef head = segments_.head(call.chain);
  if (head == 0) return resync.begin(head, current, nullptr, out);
  Record record;
  if (!segments_.get(head, record)) return Attempt::again;
  SegmentRef ref = head;
  if (head != current) {
    const Ticks joint = record.segment.start;
    const Ticks end = record.segment.end();
    // A counter that has jumped past the joint must not use a segment that no thread was served
    // from yet.
    const bool past_joint = !(call.now.ticks - joint).backward();
    const bool learning = record.segment.length.raw() == 0;  // nobody is served from it
    bool beyond = !learning && !(call.now.ticks - end).backward() && resync.has_ended(end);
    if (!learning && !beyond && current != 0 && past_joint)
      beyond = resync.check_coarse(record).ahead;
    if (current == 0 || learning || (past_joint && !beyond)) {
      segments_.make_current(call.chain, current, head);
      return Attempt::again;
    }
    // Before the joint, the predecessor is still current. Past the end of both, no thread has been
    // served from the newest.
    ref = current;
    if (!segments_.get(current, record)) {
      // A late thread has moved `current` back, to a slot that was used again since: it is of no
      // use.
      if (beyond) segments_.make_current(call.chain, current, head);
      return Attempt::again;
    }
    // If the newest was not built on the predecessor, but begun afresh, that was later than this
    // reading: move on to it.
    const bool afresh = (record.closed != Closed::no || record.segment.length.raw() == 0) &&
                        !(record.segment.end() == joint);
    if (!beyond && afresh) {
      segments_.make_current(call.chain, current, head);
      return Attempt::again;
    }
    // If the predecessor has merely ended, a new reading is past the joint. Nothing else may move
    // on to a successor: until the joint is reached, that starts ahead of the time.
    if (!beyond && record.closed == Closed::over && resync.has_ended(joint)) return Attempt::again;
    if (beyond || record.closed != Closed::no) {
      // If a thread had moved on to head before that was closed, what that thread was served
      // counts.
      const Closed why = record.closed == Closed::no ? Closed::over : record.closed;
      if (!segments_.close_both(call.chain, current, head, why) || !segments_.get(current, record))
        return Attempt::again;
    }
  }
  if (record.closed != Closed::no || record.segment.length.raw() == 0)
    return resync.begin(head, current, &record, out);
  return serve(resync, call, source, ref, head, record, out);
}

// Raises the real reading `now` of clock `id` to what may have been served before, unless the wall
// clock was stepped back.
template <TimeSource Source>
Nanos Timeline<Source>::not_below_served(unsigned id, Source& source, Nanos now) const noexcept {
  Nanos least{0};  // of the common domain
  Record record;
  if (segments_.get(segments_.current({kCommon, id}), record))
    least = record.value_by(source.reading().ticks);
  // The floor includes what the CPUs' own domains have served.
  least = std::max(least, Nanos{floors_.value(id)});
  return is_wall_clock(id) && least - now > floors_.step_back() ? now : std::max(now, least);
}

template <TimeSource Source>
bool Timeline<Source>::real_cost(unsigned id, unsigned cpu, TickDelta& bracket,
                                 Rate& rate) const noexcept {
  const bool per_cpu = (mode_.bits() & kPerCpu) != 0;
  const ChainId chain{per_cpu ? domain_of(cpu) : kCommon, id};
  Record record;
  if (chain.domain >= kDomains || !segments_.get(segments_.current(chain), record)) return false;
  bracket = state_.histories.of(chain).shortest();
  rate = record.calibration.rate;
  return bracket.raw() != 0 && rate.plausible();
}

template <TimeSource Source>
Answer Timeline<Source>::resync(unsigned id, Source& source, Nanos& out,
                                ThreadFloor* thread_floor) noexcept {
  if (id >= kClockIds) return Answer::none;
  if (!serves(id)) {
    // It is not served any more: real answers follow served ones.
    if (!has_served(id) || !source.real(static_cast<clockid_t>(id), out)) return Answer::none;
    out = not_below_served(id, source, out);
    return Answer::real;
  }
  Floor& floor = thread_floor != nullptr ? thread_floor->value : floors_.of(id);
  live::ClockRecord& measurements = state_.figures.record();
  const std::atomic<bool>& given_up = state_.given_up[id];
  for (int attempt = 0; attempt < policy::kAttempts; ++attempt) {
    SlowCall call{{kCommon, id}, floors_.value(id), {}};
    std::int64_t before = floor.load(std::memory_order_acquire);
    call.now = mode_.witnessed_reading(source, segments_, measurements);
    const std::uint8_t mode_bits = mode_.bits();
    const bool per_cpu = (mode_bits & kPerCpu) != 0;
    if ((mode_bits & kSettling) != 0) {
      mode_.settle(segments_, floors_);
      continue;
    }
    if (per_cpu && mode_.may_promote()) {
      Nanos now;
      if (source.real(CLOCK_MONOTONIC, now)) mode_.promote(now, segments_, measurements);
    }
    if (per_cpu) call.chain.domain = domain_of(call.now.cpu);
    const bool last = attempt + 1 == policy::kAttempts;
    if (!per_cpu && given_up.load(std::memory_order_relaxed)) return Answer::none;
    Attempt result = Attempt::again;
    if (!last && call.chain.domain < kDomains && !given_up.load(std::memory_order_relaxed)) {
      result = try_serve(call, source, out);
      if (result == Attempt::none) return Answer::none;
      if (result == Attempt::again) continue;
    } else {
      // All races were lost, or this CPU is not served: read the real clock.
      if (!source.real(static_cast<clockid_t>(id), out)) return Answer::none;
      if (!per_cpu) out = not_below_served(id, source, out);
    }
    const Answer answer = result == Attempt::served ? Answer::served : Answer::real;
    if (!per_cpu) return answer;
    if (thread_floor != nullptr) floors_.follow_step(out, *thread_floor, before);
    if (floors_.clamp(id, out, floor, before) || last) return answer;
  }
  return source.real(static_cast<clockid_t>(id), out) ? Answer::real : Answer::none;
}

}  // namespace clockshim
