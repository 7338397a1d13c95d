// Where the segments of all chains are: a pool of slots (clock/slot.h), and for each chain two
// references into it.
//
//   head     the newest segment, published by compare-and-swap; a loser uses the winner's.
//   current  the segment that the fast path evaluates: head or, before the joint, its predecessor.
//
// Only the thread that has claimed a slot writes it, and only while neither reference of its chain
// names it. So a thread that is preempted, killed or forked away in the middle can't tear a
// published segment. A reader that was itself preempted sees by the slot's version that the slot
// has been used again. (A late compare-and-swap may name a closed segment's slot once more, while
// it is written: read() and get() refuse it.)
//
// Invariants:
// - A reference is 0 or names a slot that was published. `head` only moves from the segment that
//   its successor was built on.
// - Fields of a published slot do not change, but for the gate, which only grows, and only while
//   the version stands. So a closed segment's gate is final: nothing was served at or past it.
// - A closed segment stays closed until its slot is used again, under another reference.
//
// All functions are lock-free, async-signal-safe and may be called by any thread at any time; no
// thread ever waits. The store is valid when all zero: it then has no segment. What a segment means
// is no business of the store's: it knows no rate, no floor and no real clock.
//
// Assumed, and modelled in tests/model/: stores of one thread are seen in program order by whoever
// sees the last of them (release and acquire, which cost nothing on x86-64), and a 16-byte
// compare-and-swap of version and gate is one step.
#pragma once

#include <atomic>
#include <cstdint>
#include <ctime>

#include "base/attributes.h"
#include "base/clock_id.h"
#include "base/segment.h"
#include "clock/chain_id.h"
#include "clock/slot.h"

namespace clockshim {

// No thread owns a slot for good: whoever publishes claims one. A chain needs at most two, for its
// head and its current segment, so the pool has two for every clock on every CPU. The spare ones
// are for segments that are being written, by threads that may be preempted or may never come back.
inline constexpr unsigned kLivePerChain = 2;
inline constexpr unsigned kSpareSlots = 246;
inline constexpr unsigned kSlots = kLivePerChain * kDomains * kChains + kSpareSlots;
static_assert(kSlots * kSlotBytes <= kOffsetMask + 1);

class SegmentStore {
 public:
  constexpr SegmentStore() = default;

  // The readers' side, which writes nothing.

  // HOT. Prefetches the slot that `ref` names. It is only a hint.
  CLOCKSHIM_INLINE void prefetch(SegmentRef ref) const noexcept {
    __builtin_prefetch(&slot_at(ref));
  }

  // HOT. Reads clock `id` (< kClockIds) of a domain (< kDomains) at counter value `now`: see
  // read_segment().
  CLOCKSHIM_INLINE bool read(unsigned id, Ticks now, timespec& out,
                             unsigned domain) const noexcept {
    const SegmentRef ref = current_[domain][id].load(std::memory_order_acquire);
    return read_segment(ref, now, out);
  }

  // HOT. Evaluates the segment `ref` at counter value `now`. `ref` is 0 or was once the
  // current one of a chain; it may have been loaded at any time before. False: the slow path has to
  // look. The single comparison with the gate catches all of these: nothing is published yet; the
  // segment has expired, or is due for a check; the counter is behind the segment's start (the age
  // is unsigned); the segment was closed; its slot was used again since (the version then differs
  // from the reference by more than any gate, see clock/slot.h).
  CLOCKSHIM_INLINE bool read_segment(SegmentRef ref, Ticks now, timespec& out) const noexcept {
    const Slot& slot = slot_at(ref);
    // All loads acquire, so they stay in this order, with the version's last. That costs no
    // instruction on x86-64.
    const std::uint64_t age = now.raw() - slot.start.load(std::memory_order_acquire);
    const std::uint64_t gate = slot.gate.load(std::memory_order_acquire);
    const std::uint64_t mult = slot.mult.load(std::memory_order_acquire);
    std::uint64_t nsec = slot.base_nsec.load(std::memory_order_acquire);
    std::uint64_t sec = slot.base_sec.load(std::memory_order_acquire);
    const std::uint64_t reused = slot.version.load(std::memory_order_relaxed) ^ ref;
    if (CLOCKSHIM_UNLIKELY((age | reused) >= gate)) return false;
    nsec += age * mult >> kRateShift;
    if (nsec >= kNanosPerSecond) {
      nsec -= kNanosPerSecond;
      ++sec;
    }
    out.tv_sec = static_cast<time_t>(sec);
    out.tv_nsec = static_cast<long>(nsec);
    return true;
  }

  // The references of a chain. 0: there is none.
  [[nodiscard]] SegmentRef head(ChainId chain) const noexcept {
    return domains_[chain.domain].heads[chain.place()].load(std::memory_order_acquire);
  }
  [[nodiscard]] SegmentRef current(ChainId chain) const noexcept {
    return current_[chain.domain][chain.clock].load(std::memory_order_acquire);
  }
  // Copies the segment that `ref` names. False: there is none, or its slot was used again.
  [[nodiscard]] bool get(SegmentRef ref, Record& out) const noexcept {
    return ref != 0 && slot_at(ref).get(ref, out);
  }

  // The writers' side.

  enum class Published {
    done,
    lost,    // another thread's segment is the head
    no_slot  // all slots are taken, or the thread has no number
  };
  // Writes `record` into a slot and makes it the chain's head, if the head is still `head`, on
  // which the caller built; on success `head` becomes the new one. `thread` is the calling thread's
  // number (TimeSource::thread()); with 0 nothing is published.
  Published publish(ChainId chain, std::uintptr_t thread, SegmentRef& head,
                    const Record& record) noexcept;

  // Makes `head` the current segment, if `current` still is. `head` must be published.
  void make_current(ChainId chain, SegmentRef current, SegmentRef head) noexcept {
    current_[chain.domain][chain.clock].compare_exchange_strong(current, head,
                                                                std::memory_order_acq_rel);
  }

  // Moves the gate to `age` + `step`, at most to the segment's end, after a check found the segment
  // good up to `age`. `record` is what get() said. False: the segment was closed, or another thread
  // has moved the gate.
  bool advance_gate(SegmentRef ref, const Record& record, TickDelta age,
                    std::uint64_t step) noexcept;

  // Closes a segment: it is served no longer, and its gate is final, so everything that was served
  // is below closing_value(). False: there is none, or it was closed already.
  bool close(SegmentRef ref, Closed why) noexcept;

  // Closes both segments of a chain. False: `current` has moved, so that some thread may have been
  // served from the other one.
  bool close_both(ChainId chain, SegmentRef current, SegmentRef head, Closed head_why) noexcept;

  // Closes the current segment, and its successor if there is one, because that was built on a
  // segment that is not believed any more.
  void close_chain(ChainId chain, Closed why) noexcept;

  // The same for the chains of all clocks in a domain, and in all domains from `first` on.
  void close_domain(unsigned domain, Closed why) noexcept;
  void close_domains_from(unsigned first, Closed why) noexcept;

  // Closes all segments of wall clocks, on all CPUs, that are older than a step of the wall clock.
  // `wall` is the difference of the coarse clocks since the step.
  void close_before_step(Nanos wall) noexcept;

  // Frees the slots that other threads of the parent were writing, and will never finish. Call it
  // in a forked child before the first answer. `thread` is the thread that forked; it keeps its
  // slot, because the fork may have happened in a signal handler that interrupted its call.
  void release_claims_of_others(std::uintptr_t thread) noexcept;

 private:
  // Notes about a slot. `uses` and `chain` are accessed only while the slot is claimed. An
  // acquiring exchange and a releasing store order the threads that claim it one after the other.
  struct Notes {
    std::atomic<std::uintptr_t> claimed_by{};  // the writer's number; 0: none
    std::uint32_t uses = 0;
    std::uint16_t chain = 0;  // which chain it belongs to: ChainId::number()
  };
  static_assert(kDomains * kChains <= UINT16_MAX);

  // CPUs with domains of their own do not meet at a cache line.
  struct alignas(64) Domain {
    std::atomic<SegmentRef> heads[kChains]{};
    std::atomic<bool> used{};  // a segment was published in it
  };

  [[nodiscard]] CLOCKSHIM_INLINE const Slot& slot_at(SegmentRef ref) const noexcept {
    return *reinterpret_cast<const Slot*>(reinterpret_cast<const char*>(slots_) +
                                          (ref & kOffsetMask));
  }
  [[nodiscard]] Slot& slot_at(SegmentRef ref) noexcept {
    return const_cast<Slot&>(static_cast<const SegmentStore*>(this)->slot_at(ref));
  }
  [[nodiscard]] bool is_named(ChainId chain, SegmentRef ref) const noexcept {
    return ref == head(chain) || ref == current(chain);
  }

  // They come first, which saves the fast path an addition.
  Slot slots_[kSlots]{};
  alignas(64) std::atomic<SegmentRef> current_[kDomains][kClockIds]{};
  Domain domains_[kDomains]{};
  Notes notes_[kSlots]{};
};

}  // namespace clockshim
