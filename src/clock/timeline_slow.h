// The slow side of Timeline: advancing to a published successor, refreshing before the end, starting afresh after a gap.
// Included by timeline.h only.
#pragma once

#include "clock/policy.h"
#include "clock/timeline.h"

namespace clockshim {

// Copies what `word` names. False: the slot has been used again meanwhile; look at head and current anew.
template <TimeSource Source>
bool Timeline<Source>::load(PublishedWord word, Record& out) const noexcept {
  const Slot& slot = slot_at(word);
  const auto get = [](const Slot::Word& field) { return field.load(std::memory_order_acquire); };
  out.segment.start = Ticks{get(slot.start)};
  out.segment.length = TickDelta{get(slot.length)};
  out.segment.rate = Rate{get(slot.mult)};
  out.segment.base =
      Nanos{static_cast<std::int64_t>(get(slot.base_sec)) * kNanosPerSecond + static_cast<std::int64_t>(get(slot.base_nsec))};
  out.due = TickDelta{get(slot.due)};
  out.revoked = get(slot.gate) == 0 && out.segment.length.raw() != 0;  // a calibration alone has no gate to open
  Calibration& c = out.calibration;
  c.older =
      Sample{Ticks{get(slot.older_before)}, TickDelta{get(slot.older_width)}, Nanos{static_cast<std::int64_t>(get(slot.older_real))}, true};
  c.newer =
      Sample{Ticks{get(slot.newer_before)}, TickDelta{get(slot.newer_width)}, Nanos{static_cast<std::int64_t>(get(slot.newer_real))}, true};
  c.rate = Rate{get(slot.rate)};
  c.uncertainty_ppb = static_cast<std::int64_t>(get(slot.uncertainty_ppb));
  return slot.version.load(std::memory_order_relaxed) == word;
}

// Writes `record` into a slot of this thread's and makes it the head, if the head is still what the caller built it on.
// `expected_head` becomes the new word where it succeeds.
template <TimeSource Source>
auto Timeline<Source>::publish(unsigned id, PublishedWord& expected_head, const Record& record) noexcept -> Publish {
  const unsigned thread = this_thread_index();
  if (thread == kNoThread) return Publish::no_slot;
  for (unsigned index = thread * kSlotsPerThread; index < (thread + 1) * kSlotsPerThread; ++index) {
    // Taken: by the code that this signal handler interrupted, or by a raw clone that shares this thread pointer.
    if (claimed_[index].exchange(true, std::memory_order_acquire)) continue;
    Slot& slot = slots_[index];
    const PublishedWord used_as = slot.version.load(std::memory_order_relaxed);
    const unsigned used_by = slot_clock_[index];
    if (used_as != 0 && (used_as == chains_[used_by].head.load(std::memory_order_acquire) ||
                         used_as == current_[used_by].load(std::memory_order_acquire))) {
      claimed_[index].store(false, std::memory_order_release);
      continue;
    }
    const PublishedWord word = (((expected_head >> kOffsetBits) + 1) << kOffsetBits) | PublishedWord{index} * kSlotBytes;
    const auto put = [](Slot::Word& field, auto value) { field.store(static_cast<std::uint64_t>(value), std::memory_order_release); };
    put(slot.version, 0);
    slot_clock_[index] = static_cast<std::uint8_t>(id);
    put(slot.gate, record.due.raw());
    put(slot.start, record.segment.start.raw());
    put(slot.length, record.segment.length.raw());
    put(slot.due, record.due.raw());
    put(slot.mult, record.segment.rate.raw());
    put(slot.base_sec, record.segment.base.raw() / kNanosPerSecond);
    put(slot.base_nsec, record.segment.base.raw() % kNanosPerSecond);
    const Calibration& c = record.calibration;
    put(slot.older_before, c.older.before.raw());
    put(slot.older_width, c.older.width.raw());
    put(slot.older_real, c.older.real.raw());
    put(slot.newer_before, c.newer.before.raw());
    put(slot.newer_width, c.newer.width.raw());
    put(slot.newer_real, c.newer.real.raw());
    put(slot.rate, c.rate.raw());
    put(slot.uncertainty_ppb, c.uncertainty_ppb);
    put(slot.version, word);
    const bool won = chains_[id].head.compare_exchange_strong(expected_head, word, std::memory_order_acq_rel);
    if (won) expected_head = word;
    claimed_[index].store(false, std::memory_order_release);
    return won ? Publish::done : Publish::lost;
  }
  return Publish::no_slot;
}

// One refresher at a time is enough, but none is waited for: a refresh that has taken too long no longer counts.
template <TimeSource Source>
bool Timeline<Source>::claim_refresh(Chain& chain, Ticks now) noexcept {
  std::uint64_t began = chain.refreshing.load(std::memory_order_relaxed);
  if (began != 0 && now.raw() - began < policy::kRefreshPatienceTicks) return false;
  return chain.refreshing.compare_exchange_strong(began, now.raw() | 1, std::memory_order_relaxed);
}

// What the old segment says against what the real clock says: recorded as the largest error that the bracket allows.
template <TimeSource Source>
void Timeline<Source>::measure(Chain& chain, const Record& record, const Sample& s) noexcept {
  chain.resyncs.fetch_add(1, std::memory_order_relaxed);
  if (!record.segment.covers(s.before) || !record.segment.covers(s.before + s.width)) return;
  const Nanos least = magnitude(record.segment.at(s.before) - s.real);
  const Nanos most = magnitude(record.segment.at(s.before + s.width) - s.real);
  accuracy_.record(least > most ? least : most, settings_.tolerance);
}

// The segment has a quarter of its life left: publish its successor, which starts where it ends.
template <TimeSource Source>
void Timeline<Source>::refresh(unsigned id, Source& source, PublishedWord head, const Record& record) noexcept {
  Chain& chain = chains_[id];
  const std::uint64_t usual = chain.usual_width.load(std::memory_order_relaxed);
  const Sample s = take_sample(source, static_cast<clockid_t>(id), TickDelta{usual});
  if (!s.ok || s.width.raw() > usual * policy::kRefusedBracketFactor) return;  // preempted; the next call tries again
  if (!record.segment.covers(s.before)) return;
  chain.usual_width.store(usual - usual / 8 + s.width.raw() / 8, std::memory_order_relaxed);

  const Nanos lead = record.segment.at(s.before) - s.real;
  const Nanos lag = s.real - record.segment.at(s.before + s.width);
  const bool stepped_on = lag > settings_.tolerance;
  const bool stepped_back = lead > settings_.tolerance;
  const bool may_go_back = id == CLOCK_REALTIME || id == CLOCK_TAI;
  Slot& old = slot_at(head);
  if (stepped_on || (stepped_back && may_go_back)) {
    // Nobody may serve the old line once somebody has served the new one.
    old.gate.store(0, std::memory_order_release);
    chain.disturbances.fetch_add(1, std::memory_order_relaxed);
    return;  // the next turn of resync() finds nothing valid and begins afresh
  }
  Record next;
  next.calibration = stepped_back ? rebased(record.calibration, s) : updated(record.calibration, s);
  Nanos length = segment_length(next.calibration, s, settings_.tolerance);
  if (length.raw() == 0) length = policy::kShortestSegment;
  if (stepped_back) chain.disturbances.fetch_add(1, std::memory_order_relaxed);
  next.segment = next_segment(next.calibration, s, record.segment.end(), record.segment.end_value(), length, stepped_back);
  next.due = TickDelta{next.segment.length.raw() * policy::kDueEighths / 8};
  measure(chain, record, s);
  if (publish(id, head, next) != Publish::done) return;
  // Until the joint, the old segment is good to its end. Where its slot has been used again this hits another segment of
  // the same due point, which then is refreshed at its end instead: late, not wrong.
  std::uint64_t due = record.due.raw();
  old.gate.compare_exchange_strong(due, record.segment.length.raw(), std::memory_order_acq_rel);
}

// Nothing valid: sample, and start a segment here. Not below `last`'s end value, which somebody may have been served.
// published: there is a segment now, ours or another thread's; read it. answered: `out` is a real reading.
template <TimeSource Source>
auto Timeline<Source>::begin(unsigned id, Source& source, PublishedWord head, PublishedWord current, const Record* last,
                             Nanos& out) noexcept -> Begun {
  Chain& chain = chains_[id];
  const std::uint64_t usual = chain.usual_width.load(std::memory_order_relaxed);
  const Sample s = take_sample(source, static_cast<clockid_t>(id), TickDelta{usual});
  if (!s.ok) return Begun::refused;
  out = s.real;  // what a caller may be given where no segment comes of it
  Record next;
  const bool known = last != nullptr && last->calibration.rate.plausible();
  if (last == nullptr) {
    chain.usual_width.store(s.width.raw(), std::memory_order_relaxed);
    next.calibration = calibration_from(s);
  } else {
    next.calibration = last->revoked ? rebased(last->calibration, s) : updated(last->calibration, s);
  }
  if (next.calibration.rate.plausible()) {
    const Nanos length = segment_length(next.calibration, s, settings_.tolerance);
    const bool never_served = last == nullptr || last->segment.length.raw() == 0;
    if (length.raw() == 0) {
      if (never_served) {
        chain.unreachable_best.store(reachable_tolerance(next.calibration, s).raw(), std::memory_order_relaxed);
      }
      if (known) out = std::max(out, last->segment.end_value());
      return Begun::answered;
    }
    const Nanos arrival = late_estimate(next.calibration, s, s.before);
    const bool free_start = never_served || last->revoked;
    const Nanos floor = free_start ? arrival : std::max(arrival, last->segment.end_value());
    next.segment = next_segment(next.calibration, s, s.before, floor, length, floor - arrival > settings_.tolerance);
    next.due = TickDelta{next.segment.length.raw() * policy::kDueEighths / 8};
    chain.usual_width.store(usual - usual / 8 + s.width.raw() / 8, std::memory_order_relaxed);
    chain.resyncs.fetch_add(1, std::memory_order_relaxed);
  } else if (last != nullptr) {
    return Begun::answered;  // the baseline is still too short; this reading was not in vain, the caller gets it
  }
  switch (publish(id, head, next)) {
    case Publish::done: current_[id].compare_exchange_strong(current, head, std::memory_order_acq_rel); break;
    case Publish::lost: return Begun::published;
    case Publish::no_slot:
      if (known && !last->revoked) out = std::max(out, last->segment.end_value());
      return Begun::answered;
  }
  return next.calibration.rate.plausible() ? Begun::published : Begun::answered;
}

template <TimeSource Source>
Answer Timeline<Source>::resync(unsigned id, Source& source, Nanos& out) noexcept {
  if (id >= kClockIds || (serving_.load(std::memory_order_acquire) >> id & 1U) == 0) return Answer::none;
  Chain& chain = chains_[id];
  if (chain.unreachable_best.load(std::memory_order_relaxed) != 0) return Answer::none;
  bool refreshed = false;
  Record record;
  for (int attempt = 0; attempt < policy::kAttempts; ++attempt) {
    PublishedWord current = current_[id].load(std::memory_order_acquire);
    const PublishedWord head = chain.head.load(std::memory_order_acquire);
    if (head == 0) {
      const Begun begun = begin(id, source, head, current, nullptr, out);
      if (begun != Begun::published) return begun == Begun::answered ? Answer::real : Answer::none;
      continue;
    }
    if (!load(head, record)) continue;
    const Ticks now = source.counter();
    if (head != current) {
      if ((now - record.segment.start).backward()) {  // before the joint: the predecessor is still the one
        if (!load(current, record)) continue;
      } else {
        current_[id].compare_exchange_strong(current, head, std::memory_order_acq_rel);
        continue;
      }
    }
    if (record.segment.covers(now) && !record.revoked) {
      const bool due = head == current && now - record.segment.start >= record.due;
      if (due && !refreshed && claim_refresh(chain, now)) {
        refreshed = true;
        refresh(id, source, head, record);
        chain.refreshing.store(0, std::memory_order_relaxed);
        continue;
      }
      out = record.segment.at(now);
      return Answer::served;
    }
    // The counter is behind the segment's start: a reading from before, or counters that disagree. Read it again.
    if (record.segment.length.raw() != 0 && !record.revoked && (now - record.segment.start).backward()) continue;
    if (head != current) continue;
    const Begun begun = begin(id, source, head, current, &record, out);
    if (begun != Begun::published) return begun == Begun::answered ? Answer::real : Answer::none;
  }
  // Lost every race, or this CPU's counter is behind the segment: the real clock, but not below what was served so far.
  if (!source.real(static_cast<clockid_t>(id), out)) return Answer::none;
  const Ticks now = source.counter();
  if (!record.revoked) out = std::max(out, record.segment.covers(now) ? record.segment.at(now) : record.segment.base);
  return Answer::real;
}

}  // namespace clockshim
