// Publishing, closing and gating segments. Included by timeline_impl.h only.
#pragma once

#include "arch/counter.h"
#include "clock/timeline.h"

namespace clockshim {

// Whether `ref`, a use of a slot for `chain`, is still a reference that threads follow.
template <TimeSource Source>
bool Timeline<Source>::named(unsigned chain, SegmentRef ref) const noexcept {
  const unsigned domain = chain / kChains;
  const unsigned place = chain % kChains;
  const auto id = static_cast<unsigned>(kServableClocks[place].id);
  return ref == chains_[domain][place].head.load(std::memory_order_acquire) ||
         ref == current_[domain][id].load(std::memory_order_acquire);
}

// Writes `record` into a slot and makes it the head, if the head is still the one that the caller
// built on (`expected_head`, which becomes the new one on success). Each chain starts its search at
// another slot, so CPUs that publish at the same time do not meet.
template <TimeSource Source>
auto Timeline<Source>::publish(const Call& call, Source& source, SegmentRef& expected_head,
                               const Record& record) noexcept -> Publish {
  const std::uintptr_t me = source.thread();
  if (me == 0) return Publish::no_slot;
  const unsigned chain = call.domain * kChains + chain_place(call.id);
  for (unsigned probe = 0; probe < kSlots; ++probe) {
    const unsigned place = (kLivePerChain * chain + probe) % kSlots;
    SlotNotes& notes = notes_[place];
    // It may be claimed by another thread, or by the code that this signal handler has interrupted.
    std::uintptr_t nobody = 0;
    if (!notes.claimed_by.compare_exchange_strong(nobody, me, std::memory_order_acquire)) continue;
    Slot& slot = slots_[place];
    const SegmentRef used_as = slot.version.load(std::memory_order_relaxed) & ~kClosedMask;
    if (used_as != 0 && named(notes.chain, used_as)) {
      notes.claimed_by.store(0, std::memory_order_release);
      continue;
    }
    notes.uses = next_use(notes.uses);
    notes.chain = static_cast<std::uint16_t>(chain);
    const SegmentRef ref = segment_ref(notes.uses, place * kSlotBytes);
    slot.version.store(kBeingWritten, std::memory_order_release);
    slot.put(record);
    slot.version.store(ref, std::memory_order_release);
    const bool won =
        chain_of(call.domain, call.id)
            .head.compare_exchange_strong(expected_head, ref, std::memory_order_acq_rel);
    if (won) expected_head = ref;
    notes.claimed_by.store(0, std::memory_order_release);
    std::atomic<bool>& used = domain_used_[call.domain];
    if (won && !used.load(std::memory_order_relaxed)) used.store(true, std::memory_order_release);
    return won ? Publish::done : Publish::lost;
  }
  return Publish::no_slot;
}

template <TimeSource Source>
void Timeline<Source>::release_claims_of_others(std::uintptr_t thread) noexcept {
  for (SlotNotes& notes : notes_) {
    const std::uintptr_t by = notes.claimed_by.load(std::memory_order_relaxed);
    if (by != 0 && by != thread) notes.claimed_by.store(0, std::memory_order_relaxed);
  }
}

// Closes a segment: it is served no longer, and its gate is final, so everything that was served is
// below closing_value(). Returns false if it was closed already.
template <TimeSource Source>
bool Timeline<Source>::close(SegmentRef ref, Closed why) noexcept {
  if (ref == 0) return false;
  return slot_at(ref).version.compare_exchange_strong(ref, ref | static_cast<std::uint64_t>(why),
                                                      std::memory_order_acq_rel);
}

// Closes the current segment, and its successor if there is one, because that was built on a
// segment that is not believed any more.
template <TimeSource Source>
void Timeline<Source>::close_chain(unsigned domain, unsigned id, Closed why) noexcept {
  const SegmentRef current = current_[domain][id].load(std::memory_order_acquire);
  const SegmentRef head = chain_of(domain, id).head.load(std::memory_order_acquire);
  close(current, why);
  if (head != current) close(head, why);
}

// Closes all segments, on all CPUs, that are older than a step of the wall clock. `wall` is the
// difference of the coarse clocks since the step. Otherwise one CPU would serve the old time while
// another serves the new one.
template <TimeSource Source>
void Timeline<Source>::close_stepping(Nanos wall) noexcept {
  wall_steps_.fetch_add(1, std::memory_order_acq_rel);
  const auto close_old = [&](SegmentRef ref) {
    Record record;
    if (ref != 0 && slot_at(ref).get(ref, record) && record.wall != wall) close(ref, Closed::set);
  };
  for (unsigned domain = 0; domain < kDomains; ++domain) {
    if (!domain_used_[domain].load(std::memory_order_acquire)) continue;
    for (const unsigned id : {unsigned{CLOCK_REALTIME}, unsigned{CLOCK_TAI}}) {
      close_old(current_[domain][id].load(std::memory_order_acquire));
      close_old(chain_of(domain, id).head.load(std::memory_order_acquire));
    }
  }
}

// Moves the gate by `step`, after a check found the segment good up to `age`. Returns false if the
// segment was closed, or if another thread has moved the gate.
template <TimeSource Source>
bool Timeline<Source>::advance_gate(SegmentRef ref, const Record& record, TickDelta age,
                                    std::uint64_t step) noexcept {
  const std::uint64_t target = std::min(age.raw() + step, record.segment.length.raw());
  Slot& slot = slot_at(ref);
  static_assert(offsetof(Slot, gate) == offsetof(Slot, version) + sizeof(Slot::Word));
  return Arch::exchange_second(slot.version, ref, record.gate.raw(), target);
}

}  // namespace clockshim
