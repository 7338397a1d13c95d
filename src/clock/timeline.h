// The timeline of each clock: a chain of segments, published process-wide, evaluated by every thread.
//
// All threads evaluate the same function of the counter, so with counters that agree and an ordered reading nothing goes
// backwards between threads. A segment's successor is published before its end, starts where it ends, and at its value.
//
//   head     the newest segment. Published by compare-and-swap; who loses takes the winner's.
//   current  the segment that the hot path evaluates: head, or head's predecessor until the counter reaches the joint.
//
// Both are words (sequence number, slot offset). A slot is written only by the thread that owns it, and only while neither
// word names it, so no thread that is preempted, killed or forked away in the middle can tear a published segment. A
// reader that was itself preempted notices by the slot's version that the slot has been used again. Nobody ever waits.
#pragma once

#include <atomic>
#include <cstdint>
#include <ctime>

#include "base/attributes.h"
#include "base/clock_id.h"
#include "base/segment.h"
#include "clock/accuracy.h"
#include "clock/calibration.h"
#include "clock/sampler.h"
#include "os/thread_index.h"

namespace clockshim {

// Sequence number and slot offset in one word, so that both change together. 0: nothing published.
using PublishedWord = std::uint64_t;
inline constexpr unsigned kSlotsPerThread = 16;  // two live ones for each of five clocks, and some in the making
inline constexpr unsigned kSlotBytes = 128;
inline constexpr unsigned kOffsetBits = 21;
inline constexpr PublishedWord kOffsetMask = (PublishedWord{1} << kOffsetBits) - 1;
static_assert(kMaxThreads * kSlotsPerThread * kSlotBytes <= kOffsetMask + 1);

// Atomics throughout: stores release and loads acquire, so that they keep their order; the version, written first (0) and
// last, decides whether what was read belongs together.
struct alignas(kSlotBytes) Slot {
  using Word = std::atomic<std::uint64_t>;
  // The hot path's cache line.
  Word version;  // the word under which these fields were published; 0 while they are being written
  Word start;
  Word gate;  // the hot path serves while age < gate: first the due point, then the length; 0 when revoked
  Word mult;
  Word base_sec;
  Word base_nsec;
  Word length;
  Word due;
  // For whoever builds the successor.
  Word older_before, older_width, older_real, newer_before, newer_width, newer_real, rate, uncertainty_ppb;
};
static_assert(sizeof(Slot) == kSlotBytes);

struct Record {
  Segment segment;
  TickDelta due;
  Calibration calibration;
  bool revoked = false;
};

// Of one clock. Counters that resyncs update, and the two words.
struct alignas(64) Chain {
  std::atomic<PublishedWord> head{};
  std::atomic<std::uint64_t> refreshing{};  // the counter when a refresh began; 0: none under way
  std::atomic<std::uint64_t> usual_width{};
  std::atomic<std::uint64_t> resyncs{};
  std::atomic<std::uint64_t> disturbances{};
  std::atomic<std::int64_t> unreachable_best{};  // > 0: the tolerance can't be kept; the figure (ns) that could be
};

// The settings that the slow side needs. Written once, before `serving` is set.
struct TimelineSettings {
  Nanos tolerance;
  ClockMask clocks = 0;  // 0: serve nothing
};

// Where an answer comes from.
enum class Answer { none, real, served };

template <TimeSource Source>
class Timeline {
 public:
  constexpr Timeline() = default;

  // Starts serving. Before it, and where settings.clocks lacks a clock, resync() answers false.
  void start(const TimelineSettings& settings) noexcept {
    settings_ = settings;
    serving_.store(settings.clocks, std::memory_order_release);
  }

  // HOT. The time of clock `id` (< kClockIds) at counter value `now`, or false: ask resync().
  // The one gate catches: nothing published yet, expired, due for a refresh, revoked, counter behind the segment's start
  // (unsigned age), and a slot that was used again while we read it.
  CLOCKSHIM_INLINE bool read(unsigned id, Ticks now, timespec& out) const noexcept {
    const PublishedWord word = current_[id].load(std::memory_order_acquire);
    const Slot& slot = slot_at(word);
    // Acquire throughout: the loads stay in this order, the version's last (no instruction on x86-64).
    const std::uint64_t age = now.raw() - slot.start.load(std::memory_order_acquire);
    const std::uint64_t gate = slot.gate.load(std::memory_order_acquire);
    const std::uint64_t mult = slot.mult.load(std::memory_order_acquire);
    std::uint64_t nsec = slot.base_nsec.load(std::memory_order_acquire);
    std::uint64_t sec = slot.base_sec.load(std::memory_order_acquire);
    const bool same = slot.version.load(std::memory_order_relaxed) == word;
    if (CLOCKSHIM_UNLIKELY(age >= gate || !same)) return false;
    nsec += age * mult >> kRateShift;
    if (nsec >= kNanosPerSecond) {
      nsec -= kNanosPerSecond;
      ++sec;
    }
    out.tv_sec = static_cast<time_t>(sec);
    out.tv_nsec = static_cast<long>(nsec);
    return true;
  }

  // The slow side: the time of clock `id`, from a segment that it may have to advance to, refresh or make, or a reading of
  // the real clock (never below what was served). none: nothing is served here. Async-signal-safe, lock-free.
  Answer resync(unsigned id, Source& source, Nanos& out) noexcept;

  [[nodiscard]] const Chain& chain(unsigned id) const noexcept { return chains_[id]; }
  [[nodiscard]] const Accuracy& accuracy() const noexcept { return accuracy_; }

 private:
  enum class Publish { done, lost, no_slot };

  CLOCKSHIM_INLINE const Slot& slot_at(PublishedWord word) const noexcept {
    return *reinterpret_cast<const Slot*>(reinterpret_cast<const char*>(slots_) + (word & kOffsetMask));
  }
  Slot& slot_at(PublishedWord word) noexcept { return const_cast<Slot&>(static_cast<const Timeline*>(this)->slot_at(word)); }

  bool load(PublishedWord word, Record& out) const noexcept;
  Publish publish(unsigned id, PublishedWord& expected_head, const Record& record) noexcept;
  bool claim_refresh(Chain& chain, Ticks now) noexcept;
  void refresh(unsigned id, Source& source, PublishedWord head, const Record& record) noexcept;
  enum class Begun { refused, answered, published };
  Begun begin(unsigned id, Source& source, PublishedWord head, PublishedWord current, const Record* last, Nanos& out) noexcept;
  void measure(Chain& chain, const Record& record, const Sample& s) noexcept;

  alignas(64) std::atomic<PublishedWord> current_[kClockIds]{};
  std::atomic<ClockMask> serving_{};
  TimelineSettings settings_{};
  Chain chains_[kClockIds]{};
  Accuracy accuracy_{};
  std::atomic<bool> claimed_[kMaxThreads * kSlotsPerThread]{};
  std::uint8_t slot_clock_[kMaxThreads * kSlotsPerThread]{};  // which chain a slot served last; written by its owner only
  Slot slots_[kMaxThreads * kSlotsPerThread]{};
};

}  // namespace clockshim

#include "clock/timeline_slow.h"
