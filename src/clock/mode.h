// One domain for all CPUs (coherent), or one for each (per-CPU): the evidence, and the changes from
// one to the other.
//
//   coherent --demote()--> per-CPU, settling --settle()--> per-CPU --promote()--> coherent
//       |
//       +--demote(), where CPUs can't be told apart--> nothing is served any more
//
// Invariants:
// - While kSettling is set, nothing is served from the CPUs' own domains: first the floors must
//   include what was served from the common one. Whoever comes in between helps.
// - A thread that publishes in the common domain looks at bits() afterwards. If it finds kPerCpu,
//   it settles that clock again (settle_clock()), or closes what it has published.
// - A thread that still answers from its CPU's chain after promote() has raised the floor before,
//   or its answer is older than that.
// - Where nothing is served any more, that is for good.
//
// All functions are lock-free, async-signal-safe and may be called by any thread at any time, but
// for start(). Valid when all zero: coherent, and nothing is served.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/attributes.h"
#include "base/clock_id.h"
#include "base/nanos.h"
#include "clock/floors.h"
#include "clock/sampler.h"
#include "clock/segment_store.h"
#include "clock/suspicion.h"
#include "clock/timeline_settings.h"
#include "clock/witness.h"
#include "live/layout.h"

namespace clockshim {

using live::ModeChange;

// The mode bits, which say how the fast path reads the time. They share one byte, because it
// decides the first branch.
inline constexpr std::uint8_t kRelaxed = 1;  // CLOCKSHIM_ORDER=relaxed
inline constexpr std::uint8_t kPerCpu = 2;   // the counters are not known to agree
inline constexpr std::uint8_t kSettling =
    4;  // the mode has just changed: the floors do not include yet what was served before
inline constexpr std::uint8_t kAligned =
    64;  // the counters differ by constants, which readings have less

class Mode {
 public:
  constexpr Mode() = default;

  // From then on clocks are served. Everything else has to be ready by then.
  void start(const TimelineSettings& settings) noexcept {
    cpus_ = settings.cpus;
    can_tell_cpus_ = settings.can_tell_cpus;
    may_promote_ = settings.may_promote;
    offsets_ = settings.offsets;
    bits_.store(static_cast<std::uint8_t>((settings.relaxed ? kRelaxed : 0) |
                                          (settings.per_cpu ? kPerCpu : 0) |
                                          (settings.offsets != nullptr ? kAligned : 0)),
                std::memory_order_relaxed);
    serving_.store(settings.clocks, std::memory_order_release);
  }

  // HOT. kRelaxed, kPerCpu, kSettling and kAligned.
  [[nodiscard]] CLOCKSHIM_INLINE std::uint8_t bits() const noexcept {
    return bits_.load(std::memory_order_acquire);
  }
  // Whether clock `id` (< kClockIds) is served.
  [[nodiscard]] bool serves(unsigned id) const noexcept {
    return (serving_.load(std::memory_order_acquire) >> id & 1U) != 0;
  }

  // Takes a reading and compares it with the newest one of any other CPU. If a counter is behind,
  // either all of them have gone back, once, or they disagree. What was learned from them is void
  // in both cases, and the common chains begin afresh. If it happens again, it demotes. So does a
  // CPU that has come since the counters were compared.
  template <TimeSource Source>
  Reading witnessed_reading(Source& source, SegmentStore& segments,
                            live::ClockRecord& record) noexcept {
    if (cpus_ < 2) return source.reading();
    const Witness::Token newest = witness_.newest();
    const Reading now = source.reading();
    if (offsets_ != nullptr && (now.cpu >= kMaxCpus || offsets_[now.cpu] == kNoOffset)) {
      // It is no evidence either: CPUs that were not compared must not be found to agree.
      demote(ModeChange::new_cpu, now.cpu, segments, record);
      return now;
    }
    if (const std::uint64_t behind = witness_.judge(newest, now); behind > 0) {
      if ((bits() & kPerCpu) == 0) found_behind(source, behind, segments, record);
      witness_.forget();
    }
    return now;
  }

  // Changes to one domain for each CPU, unless it is that already; `why` and `ticks` are for the
  // record. Where CPUs can't be told apart, it ends the service and closes the common chains.
  void demote(ModeChange why, std::uint64_t ticks, SegmentStore& segments,
              live::ClockRecord& record) noexcept;

  // Completes demote(), for whoever finds kSettling.
  void settle(SegmentStore& segments, Floors& floors) noexcept;
  // Closes a clock's common chain for good and raises the floor to what was served from it.
  static void settle_clock(unsigned id, SegmentStore& segments, Floors& floors) noexcept;

  // Whether the counters of all CPUs were found to agree, and that may change the mode: call
  // promote() then, if the mode is per-CPU.
  [[nodiscard]] bool may_promote() const noexcept { return may_promote_ && witness_.ready(cpus_); }
  // Changes to one domain for all CPUs at the time `now` of CLOCK_MONOTONIC, if an earlier round of
  // evidence ended in agreement, too. The common domain's rates are learned anew, which takes a
  // millisecond, and meanwhile each answer is a real one that is not below the floor.
  void promote(Nanos now, SegmentStore& segments, live::ClockRecord& record) noexcept;

 private:
  template <TimeSource Source>
  void found_behind(Source& source, std::uint64_t ticks, SegmentStore& segments,
                    live::ClockRecord& record) noexcept {
    segments.close_domain(kCommon, Closed::disturbed);
    record.disturbances.fetch_add(1, std::memory_order_relaxed);
    Nanos now;
    if (!source.real(CLOCK_BOOTTIME, now) || behind_.again(now))
      demote(ModeChange::warp, ticks, segments, record);
  }
  static void note(ModeChange why, std::uint64_t ticks, live::ClockRecord& record) noexcept {
    record.last_change.store(why, std::memory_order_relaxed);
    record.change_ticks.store(ticks, std::memory_order_relaxed);
  }

  std::atomic<std::uint8_t> bits_{};
  std::atomic<ClockMask> serving_{};
  unsigned cpus_ = 0;
  bool can_tell_cpus_ = false;
  bool may_promote_ = false;
  const std::int64_t* offsets_ = nullptr;
  Witness witness_{};
  Suspicion behind_{};
};

}  // namespace clockshim
