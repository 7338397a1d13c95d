// The timeline of each clock: a chain of segments, which is published process-wide and evaluated by
// every thread.
//
// Where the counters agree, each clock has one chain. All threads then evaluate the same function
// of the counter, so with an ordered reading nothing goes backwards between threads. The successor
// of a segment is published before the segment ends, and starts where it ends and at the value that
// it ends with. Where the counters disagree, each CPU has its own chains, and a floor keeps the
// order.
//
//   head     the newest segment, published by compare-and-swap; a loser uses the winner's.
//   current  the segment that the hot path evaluates: head or, before the joint, its predecessor.
//
// Both are references (clock/slot.h). Only the thread that has claimed a slot writes it, and only
// while neither reference names it. So a thread that is preempted, killed or forked away in the
// middle can't tear a published segment. A reader that was itself preempted sees by the slot's
// version that the slot has been used again. No thread ever waits.
//
// (A late compare-and-swap may name a closed segment's slot once more, while it is written: read()
// and try_serve() refuse it.)
//
// Only the hot path is defined here, and served_clock.cpp compiles the rest once. Whoever else
// needs the rest, for a time source of their own, includes clock/timeline_impl.h.
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
#include "clock/calibration.h"
#include "clock/sampler.h"
#include "clock/segment_chain.h"
#include "clock/slot.h"
#include "clock/witness.h"
#include "live/layout.h"

namespace clockshim {

using live::ModeChange;

// Where an answer comes from: a segment, the real clock, or nowhere (the caller must pass the call
// through).
enum class Answer { none, real, served };

// The least time that may be served next, in nanoseconds of the clock: one for all threads (strict
// order), or one for each thread (relaxed).
using Floor = std::atomic<std::int64_t>;
struct ThreadFloor {
  Floor value{};
  std::uint32_t steps = 0;  // how many steps of the wall clock it has followed
};

template <TimeSource Source>
class Timeline {
 public:
  constexpr Timeline() = default;

  // Starts serving, and from then on writes measurements of itself into `record`. Before that, and
  // for clocks that are not in settings.clocks, resync() returns none.
  void start(const TimelineSettings& settings, live::ClockRecord& record) noexcept {
    settings_ = settings;
    record_ = &record;
    mode_bits_.store(static_cast<std::uint8_t>((settings.relaxed ? kRelaxed : 0) |
                                               (settings.per_cpu ? kPerCpu : 0)),
                     std::memory_order_relaxed);
    serving_.store(settings.clocks, std::memory_order_release);
  }

  // Redirects measurements to another record. Call it in a forked child, from its only thread.
  void record_in(live::ClockRecord& record) noexcept {
    if (record_ != nullptr) record_ = &record;
  }

  [[nodiscard]] CLOCKSHIM_INLINE std::uint8_t mode_bits() const noexcept {
    return mode_bits_.load(std::memory_order_acquire);
  }
  // Whether resync() may answer for clock `id` (< kClockIds).
  [[nodiscard]] bool serves(unsigned id) const noexcept {
    return (serving_.load(std::memory_order_acquire) >> id & 1U) != 0;
  }

  // Whether a segment of the common domain was ever served. False for clocks that can't be served.
  [[nodiscard]] bool has_served(unsigned id) const noexcept {
    return (all_servable() >> id & 1U) != 0 &&
           chains_[kCommon][chain_place(id)].served.load(std::memory_order_acquire);
  }

  // HOT. Prefetches the slot that read() evaluates; finding it takes a load. It is only a hint.
  CLOCKSHIM_INLINE void prefetch(unsigned id) const noexcept {
    __builtin_prefetch(&slot_at(current_[kCommon][id].load(std::memory_order_relaxed)));
  }

  // HOT. Reads clock `id` (< kClockIds) at counter value `now`. False means: call resync(). The
  // single comparison with the gate catches all of these: nothing is published yet; the segment has
  // expired, or is due for a check; the counter is behind the segment's start (the age is
  // unsigned); the segment was closed; its slot was used again while we read it (the version then
  // differs from the reference by more than any gate, see clock/slot.h).
  CLOCKSHIM_INLINE bool read(unsigned id, Ticks now, timespec& out,
                             unsigned domain = kCommon) const noexcept {
    const SegmentRef ref = current_[domain][id].load(std::memory_order_acquire);
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

  // HOT where counters disagree. Like read(), but from the chain of the CPU that `now` was read on,
  // and never below the floor. `seen` must be loaded from the floor before the counter is read:
  // then, if a step back lowers the floor and closes the segments in between, the exchange fails.
  // `exchange(floor, seen, mine)` is a compare-and-swap.
  template <class Exchange>
  CLOCKSHIM_INLINE bool read_above(unsigned id, const Reading& now, Floor& floor, std::int64_t seen,
                                   timespec& out, Exchange exchange) const noexcept {
    if (CLOCKSHIM_UNLIKELY(now.cpu >= kMaxCpus || !read(id, now.ticks, out, domain_of(now.cpu))))
      return false;
    const std::int64_t mine = out.tv_sec * kNanosPerSecond + out.tv_nsec;
    if (CLOCKSHIM_UNLIKELY(seen == 0))
      return false;  // this thread's first call: only the slow path knows the least value
    while (mine > seen) {
      const std::int64_t before = seen;
      if (CLOCKSHIM_LIKELY(exchange(floor, seen, mine))) return true;
      // Threads that meet at the floor can tell whether their counters agree: send some of them to
      // the slow path to do so.
      if (seen < before || (mine & (policy::kMeetingsPerHandoff - 1)) == 0) return false;
    }
    const std::int64_t behind = seen - mine;
    if (CLOCKSHIM_UNLIKELY(behind >= kNanosPerSecond ||
                           behind > settings_.tolerance.raw() * policy::kStepTolerances))
      return false;
    out.tv_nsec += behind;
    if (out.tv_nsec >= kNanosPerSecond) {
      out.tv_nsec -= kNanosPerSecond;
      ++out.tv_sec;
    }
    return true;
  }

  [[nodiscard]] CLOCKSHIM_INLINE Floor& floor(unsigned id) noexcept { return floors_[id].value; }

  // The slow path. Answers with the time of clock `id`: from a segment, which it may have to
  // advance to, check, refresh or create, or from the real clock, and never below what was served
  // before. none means that this clock is not served. `thread_floor` is the calling thread's floor
  // in relaxed order, else null. Async-signal-safe, lock-free.
  Answer resync(unsigned id, Source& source, Nanos& out,
                ThreadFloor* thread_floor = nullptr) noexcept;

  // Raises the real reading `now` of clock `id` (< kClockIds) to what may have been served before,
  // unless the wall clock was stepped back.
  [[nodiscard]] Nanos not_below_served(unsigned id, Source& source, Nanos now) const noexcept;

  // Closes all segments, because this process has set or slewed a clock.
  void clocks_were_set() noexcept;

  // Frees the slots that other threads of the parent were writing, and will never finish. Call it
  // in a forked child before the first answer. `thread` is the thread that forked; it keeps its
  // slot, because the fork may have happened in a signal handler that interrupted its call.
  void release_claims_of_others(std::uintptr_t thread) noexcept;

  [[nodiscard]] const Witness& witness() const noexcept { return witness_; }

 private:
  enum class Publish { done, lost, no_slot };
  enum class ServeResult { again, served, real, none };

  // The input of one attempt of resync().
  struct Call {
    unsigned id;
    unsigned domain;
    std::int64_t floor_before;  // the shared floor, loaded before `now`: what it has grown by since
                                // is no evidence of a step
    Reading now;
  };

  CLOCKSHIM_INLINE const Slot& slot_at(SegmentRef ref) const noexcept {
    return *reinterpret_cast<const Slot*>(reinterpret_cast<const char*>(slots_) +
                                          (ref & kOffsetMask));
  }
  [[nodiscard]] SegmentChain& chain_of(unsigned domain, unsigned id) noexcept {
    return chains_[domain][chain_place(id)];
  }
  Slot& slot_at(SegmentRef ref) noexcept {
    return const_cast<Slot&>(static_cast<const Timeline*>(this)->slot_at(ref));
  }
  [[nodiscard]] bool steps(unsigned id) const noexcept {
    return id == CLOCK_REALTIME || id == CLOCK_TAI;
  }

  Publish publish(const Call& call, Source& source, SegmentRef& expected_head,
                  const Record& record) noexcept;
  [[nodiscard]] bool named(unsigned chain, SegmentRef ref) const noexcept;
  bool close(SegmentRef ref, Closed why) noexcept;
  void close_chain(unsigned domain, unsigned id, Closed why) noexcept;
  void close_stepping(Nanos wall) noexcept;
  bool advance_gate(SegmentRef ref, const Record& record, TickDelta age,
                    std::uint64_t step) noexcept;

  ServeResult try_serve(const Call& call, Source& source, Nanos& out) noexcept;
  ServeResult serve(const Call& call, Source& source, SegmentRef ref, SegmentRef head,
                    const Record& record, Nanos& out) noexcept;
  ServeResult begin(const Call& call, Source& source, SegmentRef head, SegmentRef current,
                    const Record* last, Nanos& out) noexcept;
  void contradicted(const Call& call, unsigned cpu, const Record& record) noexcept;
  void disturbed(const Call& call, SegmentRef ref, const Record& record, unsigned cpu,
                 const CoarsePair* stepped = nullptr) noexcept;
  bool refresh(const Call& call, Source& source, SegmentRef ref, SegmentRef head,
               const Record& record) noexcept;
  struct CoarseCheck {
    CoarsePair coarse;
    std::uint64_t step = 0;   // ticks until the next check
    bool stepped = false;     // the wall clock was stepped, and this segment is older than the step
    bool suspicious = false;  // the segment is too far from the coarse clock
    bool ahead = false;       // and it is ahead, which can't be an effect of preemption
  };
  CoarseCheck check_coarse(const Call& call, Source& source, const Record& record) noexcept;
  static bool has_ended(const Call& call, Source& source, Ticks end) noexcept;
  void mark_tolerance_unreachable(unsigned id, Nanos best) noexcept {
    unreachable_best_[id].store(best.raw(), std::memory_order_relaxed);
    record_->clocks[id].unreachable_best.store(best.raw(), std::memory_order_relaxed);
  }
  static void learn_width(SegmentChain& chain, TickDelta width) noexcept;
  static Brackets brackets(const SegmentChain& chain) noexcept;
  bool claim_refresh(SegmentChain& chain, Ticks now) noexcept;
  void measure(const Record& record, const Sample& s) noexcept;
  void measure_end(const Record& last, const Sample& s, const Brackets& known) noexcept;
  void resynced(const Call& call, const CoarsePair& coarse) noexcept;
  static Nanos served_of(const Record& last, const Sample& s) noexcept;
  Nanos least_of(unsigned id, Source& source) const noexcept;
  Nanos floor_of(const Call& call, const Record* last, const Sample& s, bool wall_stepped) noexcept;
  static void place_guard(Record& next, const Sample& s, const CoarsePair& coarse) noexcept;
  bool read_coarse(Source& source, CoarsePair& out) const noexcept {
    return settings_.coarse_tick.raw() > 0 && source.coarse(out);
  }

  Reading witnessed_reading(Source& source) noexcept;
  void demote(ModeChange why, std::uint64_t ticks) noexcept;
  void changed(ModeChange why, std::uint64_t ticks) noexcept;
  void count_disturbance() noexcept {
    record_->disturbances.fetch_add(1, std::memory_order_relaxed);
  }
  void settle(unsigned id) noexcept;
  void promote(Source& source) noexcept;
  bool clamp_to_floor(unsigned id, Nanos& value, Floor& floor, std::int64_t before) noexcept;
  void follow_step(Nanos value, ThreadFloor& own, std::int64_t& before) noexcept;

  struct alignas(64) PaddedFloor {
    Floor value{};
    std::atomic<std::int64_t>
        wall{};  // CLOCK_REALTIME_COARSE - CLOCK_MONOTONIC_COARSE when a segment last began
  };

  alignas(64) std::atomic<SegmentRef> current_[kDomains][kClockIds]{};  // first, which saves the
                                                                        // hot path an addition
  std::atomic<std::uint8_t> mode_bits_{};
  live::ClockRecord* record_ = nullptr;  // null until start()
  std::atomic<ClockMask> serving_{};
  TimelineSettings settings_{};
  std::atomic<std::uint32_t> wall_steps_{};
  std::atomic<std::int64_t> unreachable_best_[kClockIds]{};
  PaddedFloor floors_[kClockIds]{};
  std::atomic<bool> domain_used_[kDomains]{};
  Witness witness_{};
  SegmentChain chains_[kDomains][kChains]{};
  SlotNotes notes_[kSlots]{};
  Slot slots_[kSlots]{};
};

}  // namespace clockshim
