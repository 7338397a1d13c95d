// The writers' side of SegmentStore. The simulator compiles it again, with its own std::atomic.
#include "clock/segment_store.h"

#include <algorithm>
#include <cstddef>

#include "arch/counter.h"

namespace clockshim {

// Each chain starts its search at another slot, so CPUs that publish at the same time do not meet.
SegmentStore::Published SegmentStore::publish(ChainId chain, std::uintptr_t thread,
                                              SegmentRef& head, const Record& record) noexcept {
  if (thread == 0) return Published::no_slot;
  for (unsigned probe = 0; probe < kSlots; ++probe) {
    const unsigned place = (kLivePerChain * chain.number() + probe) % kSlots;
    Notes& notes = notes_[place];
    // It may be claimed by another thread, or by the code that this signal handler has interrupted.
    std::uintptr_t nobody = 0;
    if (!notes.claimed_by.compare_exchange_strong(nobody, thread, std::memory_order_acquire))
      continue;
    Slot& slot = slots_[place];
    const SegmentRef used_as = slot.version.load(std::memory_order_relaxed) & ~kClosedMask;
    if (used_as != 0 && is_named(ChainId::numbered(notes.chain), used_as)) {
      notes.claimed_by.store(0, std::memory_order_release);
      continue;
    }
    notes.uses = next_use(notes.uses);
    notes.chain = static_cast<std::uint16_t>(chain.number());
    const SegmentRef ref = segment_ref(notes.uses, place * kSlotBytes);
    slot.version.store(kBeingWritten, std::memory_order_release);
    slot.put(record);
    slot.version.store(ref, std::memory_order_release);
    Domain& domain = domains_[chain.domain];
    const bool won =
        domain.heads[chain.place()].compare_exchange_strong(head, ref, std::memory_order_acq_rel);
    if (won) head = ref;
    notes.claimed_by.store(0, std::memory_order_release);
    if (won && !domain.used.load(std::memory_order_relaxed))
      domain.used.store(true, std::memory_order_release);
    return won ? Published::done : Published::lost;
  }
  return Published::no_slot;
}

bool SegmentStore::advance_gate(SegmentRef ref, const Record& record, TickDelta age,
                                std::uint64_t step) noexcept {
  const std::uint64_t target = std::min(age.raw() + step, record.segment.length.raw());
  Slot& slot = slot_at(ref);
  static_assert(offsetof(Slot, gate) == offsetof(Slot, version) + sizeof(Slot::Word));
  return Arch::exchange_second(slot.version, ref, record.gate.raw(), target);
}

bool SegmentStore::close(SegmentRef ref, Closed why) noexcept {
  if (ref == 0) return false;
  return slot_at(ref).version.compare_exchange_strong(ref, ref | static_cast<std::uint64_t>(why),
                                                      std::memory_order_acq_rel);
}

// The last load must not come before the closing. On x86-64 the locked instruction sees to that.
bool SegmentStore::close_both(ChainId chain, SegmentRef current, SegmentRef head,
                              Closed head_why) noexcept {
  close(current, Closed::over);
  close(head, head_why);
  return current_[chain.domain][chain.clock].load(std::memory_order_seq_cst) == current;
}

void SegmentStore::close_chain(ChainId chain, Closed why) noexcept {
  const SegmentRef current = this->current(chain);
  const SegmentRef head = this->head(chain);
  close(current, why);
  if (head != current) close(head, why);
}

void SegmentStore::close_domain(unsigned domain, Closed why) noexcept {
  for (const auto& clock : kServableClocks)
    close_chain({domain, static_cast<unsigned>(clock.id)}, why);
}

void SegmentStore::close_domains_from(unsigned first, Closed why) noexcept {
  for (unsigned domain = first; domain < kDomains; ++domain) {
    if (domains_[domain].used.load(std::memory_order_acquire)) close_domain(domain, why);
  }
}

void SegmentStore::close_before_step(Nanos wall) noexcept {
  const auto close_old = [&](SegmentRef ref) {
    Record record;
    if (get(ref, record) && record.wall != wall) close(ref, Closed::set);
  };
  for (unsigned domain = 0; domain < kDomains; ++domain) {
    if (!domains_[domain].used.load(std::memory_order_acquire)) continue;
    for (const unsigned id : kWallClocks) {
      close_old(current({domain, id}));
      close_old(head({domain, id}));
    }
  }
}

void SegmentStore::release_claims_of_others(std::uintptr_t thread) noexcept {
  for (Notes& notes : notes_) {
    const std::uintptr_t by = notes.claimed_by.load(std::memory_order_relaxed);
    if (by != 0 && by != thread) notes.claimed_by.store(0, std::memory_order_relaxed);
  }
}

}  // namespace clockshim
