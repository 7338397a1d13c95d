// The slow side of Timeline: which segment a call is served from, advancing to a published
// successor, looking whether something has happened. Included by timeline_impl.h only.
#pragma once

#include "clock/policy.h"
#include "clock/timeline.h"

namespace clockshim {

// Claims the refresh of a chain. One thread at a time is enough, but no thread waits for it: a
// refresh that takes too long no longer counts.
template <TimeSource Source>
bool Timeline<Source>::claim_refresh(SegmentChain& chain, Ticks now) noexcept {
  std::uint64_t began = chain.refreshing.load(std::memory_order_relaxed);
  if (began != 0 && now.raw() - began < policy::kRefreshPatienceTicks) return false;
  return chain.refreshing.compare_exchange_strong(began, now.raw() | 1, std::memory_order_relaxed);
}

// Compares a segment with the coarse clocks, which reveals steps, sleeps of the machine and
// counters that jumped. Also computes when the next check is due.
template <TimeSource Source>
auto Timeline<Source>::check_coarse(const Call& call, Source& source, const Record& record) noexcept
    -> CoarseCheck {
  CoarseCheck seen;
  seen.step = record.segment.length.raw();
  const Reading first = source.reading();
  if (!read_coarse(source, seen.coarse)) return seen;
  const Reading last = source.reading();
  const bool moved = seen.coarse.wall() != record.wall;
  seen.stepped = steps(call.id) && moved;
  const Nanos away = record.segment.at(call.now.ticks) - seen.coarse.monotonic - record.lead;
  const Nanos far = settings_.coarse_tick + policy::kCoarseSlack + settings_.tolerance;
  seen.suspicious = magnitude(away) > far;
  seen.ahead = away > far;
  // When the machine sleeps, BOOTTIME and the wall clock advance and MONOTONIC does not: that moves
  // the coarse clocks apart.
  if (call.id == CLOCK_BOOTTIME && moved) seen.suspicious = true;
  // Track the minimum recent cost of reading the coarse clocks (it may rise by 1/64 with each
  // check), so that one preempted check does not stretch the interval.
  SegmentChain& chain = chain_of(call.domain, call.id);
  const std::uint64_t usual = chain.usual_check.load(std::memory_order_relaxed);
  const std::uint64_t taken = first.cpu == last.cpu ? (last.ticks - first.ticks).raw() : usual;
  const std::uint64_t cost =
      usual == 0 ? taken : std::min(taken, usual + usual / policy::kCheckCostMemory + 1);
  chain.usual_check.store(cost, std::memory_order_relaxed);
  const std::uint64_t longest = record.segment.length.raw();
  const std::uint64_t least = to_ticks(policy::kCheckInterval, record.calibration.rate).raw();
  seen.step = cost > longest / policy::kCheckCostFactor
                  ? longest
                  : std::max(least, cost * policy::kCheckCostFactor);
  return seen;
}

// Whether the counter has passed `end` by now. The call's own reading may be old, from before the
// counter restarted.
template <TimeSource Source>
bool Timeline<Source>::has_ended(const Call& call, Source& source, Ticks end) noexcept {
  const Reading later = source.reading();
  return (call.domain == kCommon || domain_of(later.cpu) == call.domain) &&
         !(later.ticks - end).backward();
}

// Serves a call from a segment that is open. Its gate may be closed because a check is due, because
// a refresh is due, or because the segment has ended.
template <TimeSource Source>
auto Timeline<Source>::serve(const Call& call, Source& source, SegmentRef ref, SegmentRef head,
                             const Record& record, Nanos& out) noexcept -> ServeResult {
  const TickDelta age = call.now.ticks - record.segment.start;
  if (age.backward()) {
    // The reading was taken before another thread began this segment. If the next reading is no
    // better, a counter went backwards.
    const Reading later = source.reading();
    const bool same_domain = call.domain == kCommon || domain_of(later.cpu) == call.domain;
    if (same_domain && (later.ticks - record.segment.start).backward())
      disturbed(call, ref, record, later.cpu);
    return ServeResult::again;
  }
  if (age >= record.segment.length) {
    if (has_ended(call, source, record.segment.end())) close(ref, Closed::over);
    return ServeResult::again;
  }
  out = record.segment.at(call.now.ticks);
  if (age < record.gate) return ServeResult::served;

  SegmentChain& chain = chain_of(call.domain, call.id);
  const CoarseCheck seen = check_coarse(call, source, record);
  if (seen.stepped) {
    disturbed(call, ref, record, call.now.cpu, &seen.coarse);
    return ServeResult::again;
  }
  const bool due = ref == head && age >= record.due();
  if ((due || seen.suspicious) && claim_refresh(chain, call.now.ticks)) {
    const bool good = refresh(call, source, ref, head, record);
    chain.refreshing.store(0, std::memory_order_relaxed);
    if (!good) return ServeResult::again;
  }
  return advance_gate(ref, record, age, seen.step) ? ServeResult::served : ServeResult::again;
}

// The upper bound of what was served of a clock in the common domain, up to now.
template <TimeSource Source>
Nanos Timeline<Source>::least_of(unsigned id, Source& source) const noexcept {
  Record record;
  const SegmentRef current = current_[kCommon][id].load(std::memory_order_acquire);
  if (current == 0 || !slot_at(current).get(current, record)) return Nanos{0};
  return record.value_by(source.reading().ticks);
}

template <TimeSource Source>
Nanos Timeline<Source>::not_below_served(unsigned id, Source& source, Nanos now) const noexcept {
  // The floor includes what the CPUs' own domains have served.
  const Nanos least =
      std::max(least_of(id, source), Nanos{floors_[id].value.load(std::memory_order_acquire)});
  const Nanos step_back{settings_.tolerance.raw() * policy::kStepTolerances};
  return steps(id) && least - now > step_back ? now : std::max(now, least);
}

// One attempt at an answer. `again` means that another thread was faster, so try again with a new
// reading.
template <TimeSource Source>
auto Timeline<Source>::try_serve(const Call& call, Source& source, Nanos& out) noexcept
    -> ServeResult {
  std::atomic<SegmentRef>& current_ref = current_[call.domain][call.id];
  SegmentRef current = current_ref.load(std::memory_order_acquire);
  const SegmentRef head = chain_of(call.domain, call.id).head.load(std::memory_order_acquire);
  if (head == 0) return begin(call, source, head, current, nullptr, out);
  Record record;
  if (!slot_at(head).get(head, record)) return ServeResult::again;
  SegmentRef ref = head;
  if (head != current) {
    const Ticks joint = record.segment.start;
    const Ticks end = record.segment.end();
    // A counter that has jumped past the joint must not use a segment that no thread was served
    // from yet.
    bool beyond = !(call.now.ticks - end).backward() && has_ended(call, source, end);
    if (!beyond && current != 0 && !(call.now.ticks - joint).backward())
      beyond = check_coarse(call, source, record).ahead;
    if (current == 0 || (!(call.now.ticks - joint).backward() && !beyond)) {
      current_ref.compare_exchange_strong(current, head, std::memory_order_acq_rel);
      return ServeResult::again;
    }
    // Before the joint, the predecessor is still current. Past the end of both, no thread has been
    // served from the newest.
    ref = current;
    if (!slot_at(current).get(current, record)) {
      // A late thread has moved `current` back, to a slot that was used again since: it is of no
      // use.
      if (beyond) current_ref.compare_exchange_strong(current, head, std::memory_order_acq_rel);
      return ServeResult::again;
    }
    // If the predecessor has merely ended, its successor is good. And if the newest was not built
    // on it, but begun afresh, that was later than this reading. In both cases move on to the
    // newest, with a new reading.
    const bool ended = record.closed == Closed::over;
    const bool afresh = (record.closed != Closed::no || record.segment.length.raw() == 0) &&
                        !(record.segment.end() == joint);
    if (!beyond && (ended || afresh)) {
      current_ref.compare_exchange_strong(current, head, std::memory_order_acq_rel);
      return ServeResult::again;
    }
    if (beyond || record.closed != Closed::no) {
      close(current, Closed::over);
      close(head, record.closed == Closed::no ? Closed::over : record.closed);
      // Now head is closed. If a thread had moved on to it before, what that thread was served
      // counts.
      if (current_ref.load(std::memory_order_seq_cst) != current ||
          !slot_at(current).get(current, record))
        return ServeResult::again;
    }
  }
  if (record.closed != Closed::no || record.segment.length.raw() == 0)
    return begin(call, source, head, current, &record, out);
  return serve(call, source, ref, head, record, out);
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
  Floor& floor = thread_floor != nullptr ? thread_floor->value : floors_[id].value;
  const std::atomic<std::int64_t>& unreachable = unreachable_best_[id];
  for (int attempt = 0; attempt < policy::kAttempts; ++attempt) {
    Call call{id, kCommon, floors_[id].value.load(std::memory_order_acquire), {}};
    std::int64_t before = floor.load(std::memory_order_acquire);
    call.now = witnessed_reading(source);
    const std::uint8_t mode_bits = mode_bits_.load(std::memory_order_acquire);
    const bool per_cpu = (mode_bits & kPerCpu) != 0;
    if ((mode_bits & kSettling) != 0) {
      for (const auto& clock : kServableClocks) settle(static_cast<unsigned>(clock.id));
      mode_bits_.fetch_and(static_cast<std::uint8_t>(~kSettling), std::memory_order_acq_rel);
      continue;
    }
    if (per_cpu && settings_.may_promote) promote(source);
    if (per_cpu) call.domain = domain_of(call.now.cpu);
    const bool last = attempt + 1 == policy::kAttempts;
    if (!per_cpu && unreachable.load(std::memory_order_relaxed) != 0) return Answer::none;
    ServeResult result = ServeResult::again;
    if (!last && call.domain < kDomains && unreachable.load(std::memory_order_relaxed) == 0) {
      result = try_serve(call, source, out);
      if (result == ServeResult::none) return Answer::none;
      if (result == ServeResult::again) continue;
    } else {
      // All races were lost, or this CPU is not served: read the real clock.
      if (!source.real(static_cast<clockid_t>(id), out)) return Answer::none;
      if (!per_cpu) out = not_below_served(id, source, out);
    }
    const Answer answer = result == ServeResult::served ? Answer::served : Answer::real;
    if (!per_cpu) return answer;
    if (thread_floor != nullptr) follow_step(out, *thread_floor, before);
    if (clamp_to_floor(id, out, floor, before) || last) return answer;
  }
  return source.real(static_cast<clockid_t>(id), out) ? Answer::real : Answer::none;
}

}  // namespace clockshim
