// Publishing, closing and gating segments. Included by timeline.h only.
#pragma once

#include "arch/counter.h"
#include "clock/timeline.h"

namespace clockshim {

// Whether a slot that was used for `chain`, under `word`, is still one that somebody may be sent to.
template <TimeSource Source>
bool Timeline<Source>::named(unsigned chain, PublishedWord word) const noexcept {
  const unsigned domain = chain / kClockIds;
  const unsigned id = chain % kClockIds;
  return word == chains_[domain][id].head.load(std::memory_order_acquire) || word == current_[domain][id].load(std::memory_order_acquire);
}

// Takes a CPU's segment out of use to get at its slot: that chain learns its rate anew.
template <TimeSource Source>
void Timeline<Source>::retire(unsigned thread, unsigned index) noexcept {
  const unsigned domain = own_[thread].chain[index] / kClockIds;
  const unsigned id = own_[thread].chain[index] % kClockIds;
  PublishedWord word = slots_[thread * kSlotsPerThread + index].version.load(std::memory_order_acquire) & ~kClosedMask;
  if (word == 0 || domain == kCommon) return;
  PublishedWord expected = word;
  current_[domain][id].compare_exchange_strong(expected, 0, std::memory_order_acq_rel);
  chains_[domain][id].head.compare_exchange_strong(word, 0, std::memory_order_acq_rel);
}

// Writes `record` into a slot of this thread's and makes it the head, if the head is still what the caller built it on.
// `expected_head` becomes the new word where it succeeds.
template <TimeSource Source>
auto Timeline<Source>::publish(const Call& call, Source& source, PublishedWord& expected_head, const Record& record) noexcept -> Publish {
  const unsigned thread = source.thread();
  if (thread == kNoThread) return Publish::no_slot;
  OwnSlots& own = own_[thread];
  for (unsigned index = 0; index < kSlotsPerThread; ++index) {
    // Taken: by the code that this signal handler interrupted, or by a raw clone that shares this thread pointer.
    if (own.claimed[index].exchange(true, std::memory_order_acquire)) continue;
    const unsigned place = thread * kSlotsPerThread + index;
    Slot& slot = slots_[place];
    const PublishedWord used_as = slot.version.load(std::memory_order_relaxed) & ~kClosedMask;
    if (used_as != 0 && named(own.chain[index], used_as)) {
      if (index + 1 == kSlotsPerThread) retire(thread, call.now.ticks.raw() % kSlotsPerThread);  // for the next time
      own.claimed[index].store(false, std::memory_order_release);
      continue;
    }
    const PublishedWord word = word_of(++own.uses[index], place * kSlotBytes);
    slot.version.store(kBeingWritten, std::memory_order_release);
    own.chain[index] = static_cast<std::uint16_t>(call.domain * kClockIds + call.id);
    slot.put(record);
    slot.version.store(word, std::memory_order_release);
    const bool won = chains_[call.domain][call.id].head.compare_exchange_strong(expected_head, word, std::memory_order_acq_rel);
    if (won) expected_head = word;
    own.claimed[index].store(false, std::memory_order_release);
    if (won && !domain_used_[call.domain].load(std::memory_order_relaxed)) domain_used_[call.domain].store(true, std::memory_order_release);
    return won ? Publish::done : Publish::lost;
  }
  return Publish::no_slot;
}

// Nobody is served from it any more, and its gate stands still: what has been served is below closing_value(). False: somebody
// else has closed it.
template <TimeSource Source>
bool Timeline<Source>::close(PublishedWord word, Closed why) noexcept {
  if (word == 0) return false;
  return slot_at(word).version.compare_exchange_strong(word, word | static_cast<std::uint64_t>(why), std::memory_order_acq_rel);
}

// The successor too, if there is one: it was built on what is not believed any more.
template <TimeSource Source>
void Timeline<Source>::close_chain(unsigned domain, unsigned id, Closed why) noexcept {
  const PublishedWord current = current_[domain][id].load(std::memory_order_acquire);
  const PublishedWord head = chains_[domain][id].head.load(std::memory_order_acquire);
  close(current, why);
  if (head != current) close(head, why);
}

// The wall clock was stepped, to `wall`. What was made before is closed, on all CPUs: else one would serve the old time while
// another serves the new one.
template <TimeSource Source>
void Timeline<Source>::close_stepping(Nanos wall) noexcept {
  wall_steps_.fetch_add(1, std::memory_order_acq_rel);
  const auto close_old = [&](PublishedWord word) {
    Record record;
    if (word != 0 && slot_at(word).get(word, record) && record.wall != wall) close(word, Closed::set);
  };
  for (unsigned domain = 0; domain < kDomains; ++domain) {
    if (!domain_used_[domain].load(std::memory_order_acquire)) continue;
    for (const unsigned id : {unsigned{CLOCK_REALTIME}, unsigned{CLOCK_TAI}}) {
      close_old(current_[domain][id].load(std::memory_order_acquire));
      close_old(chains_[domain][id].head.load(std::memory_order_acquire));
    }
  }
}

// Looked at and found good up to `age`: it may be served for another step. False: closed, or another thread was faster.
template <TimeSource Source>
bool Timeline<Source>::advance_gate(PublishedWord word, const Record& record, TickDelta age, std::uint64_t step) noexcept {
  const std::uint64_t target = std::min(age.raw() + step, record.segment.length.raw());
  Slot& slot = slot_at(word);
  static_assert(offsetof(Slot, gate) == offsetof(Slot, version) + sizeof(Slot::Word));
  return Arch::exchange_second(slot.version, word, record.gate.raw(), target);
}

}  // namespace clockshim
