// A published segment in memory: 128 bytes of atomics that one thread at a time writes and all may
// read whenever they like.
//
// A word names a publication: the slot's offset, and how often that slot has been used. The slot's
// version is the word under which its fields were published, a value that is nobody's word while
// they are being written, and the word with a mark once the segment is closed. All in which the
// version of a word's slot can differ from it stands in the high bits. Stores release and loads
// acquire, so that they keep their order; the version, written first and last and read last,
// decides whether what was read belongs together. The gate may be moved while the version stands:
// both stand in one 16-byte pair, so that a gate is never moved in a slot that was closed or used
// again meanwhile.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "base/segment.h"
#include "clock/calibration.h"

namespace clockshim {

// 0: nothing published.
using SegmentRef = std::uint64_t;
inline constexpr unsigned kSlotBytes = 128;
inline constexpr unsigned kOffsetBits = 23;
inline constexpr SegmentRef kOffsetMask = (SegmentRef{1} << kOffsetBits) - 1;
// Above any gate: so where version and word differ, their difference is more than the gate, and one
// comparison sees to both.
inline constexpr unsigned kUsesShift = 36;
inline constexpr unsigned kUsesBits = 26;
static_assert(to_ticks(kMaxSegment, kFastestCounter).raw() < std::uint64_t{1} << kUsesShift);

// Why a segment is served no longer. Marks in a version.
inline constexpr unsigned kClosedShift = kUsesShift + kUsesBits;
enum class Closed : std::uint64_t {
  no = 0,
  over = std::uint64_t{1} << kClosedShift,  // it came to its end, or its chain is not used any more
  disturbed =
      std::uint64_t{2} << kClosedShift,  // it was wrong: the counter is not to be trusted across it
  set = std::uint64_t{3} << kClosedShift,  // the clock was set, the counter is not to blame
};
inline constexpr std::uint64_t kClosedMask = std::uint64_t{3} << kClosedShift;
static_assert(kClosedShift == 62);
// Not 0: that is the word of a clock that nothing was published for, and its offset is the first
// slot's.
inline constexpr SegmentRef kBeingWritten = kClosedMask;

// Uses are numbered from 1. They repeat after 2^26 - 1: a reader would have to sleep for days, and
// wake in that very use.
constexpr std::uint32_t next_use(std::uint32_t uses) {
  return uses == (1U << kUsesBits) - 1 ? 1 : uses + 1;
}
constexpr SegmentRef segment_ref(std::uint32_t uses, unsigned offset) {
  return std::uint64_t{uses} << kUsesShift | offset;
}

struct Record {
  Segment segment;  // length 0: a calibration alone, and what was served before must not be
                    // undercut: base
  TickDelta gate;   // nothing at or past this age has been served
  Closed closed = Closed::no;
  Calibration calibration;
  unsigned cpu = 0;  // where the newest sample was taken
  Nanos wall;        // REALTIME_COARSE - MONOTONIC_COARSE at that time
  Nanos lead;        // the line - MONOTONIC_COARSE at that time

  // Past three quarters of its life the successor is due.
  [[nodiscard]] TickDelta due() const {
    return TickDelta{segment.length.raw() * policy::kDueEighths / 8};
  }
  // The most that anybody may have been given from it, once it is closed; by a counter that may
  // have jumped.
  [[nodiscard]] Nanos closing_value() const { return segment.at(segment.start + gate); }
  // The same as of `now`, by a counter that is trusted.
  [[nodiscard]] Nanos value_by(Ticks now) const {
    return now - segment.start < gate ? segment.at(now) : closing_value();
  }
};

struct alignas(kSlotBytes) Slot {
  using Word = std::atomic<std::uint64_t>;
  // The hot path's cache line.
  Word version;
  Word gate;  // served while age < gate: moved on by a check at a time, up to the length
  Word start;
  Word mult;
  Word base_sec;
  Word base_nsec;
  Word length;
  Word lead;
  // For whoever builds the successor.
  Word wall, older_at, older_real, newer_at, newer_real, widths, rate, uncertainty_and_cpu;

  // All fields but the version.
  void put(const Record& r) noexcept;
  // Copies what `word` names. False: the slot has been used again meanwhile.
  bool get(SegmentRef ref, Record& out) const noexcept;
};
static_assert(sizeof(Slot) == kSlotBytes);

namespace slot_detail {
inline constexpr unsigned kHalf = 32;
inline constexpr std::uint64_t kLowHalf = (std::uint64_t{1} << kHalf) - 1;
// Brackets wider than 2^32 ticks (a second) are of no use to anybody.
inline std::uint64_t narrow(TickDelta d) { return std::min(d.raw(), kLowHalf); }
inline Nanos nanos(std::uint64_t raw) { return Nanos{static_cast<std::int64_t>(raw)}; }
}  // namespace slot_detail

inline void Slot::put(const Record& r) noexcept {
  using namespace slot_detail;
  const auto store = [](Word& field, auto value) {
    field.store(static_cast<std::uint64_t>(value), std::memory_order_release);
  };
  store(gate, r.gate.raw());
  store(start, r.segment.start.raw());
  store(mult, r.segment.rate.raw());
  store(base_sec, r.segment.base.raw() / kNanosPerSecond);
  store(base_nsec, r.segment.base.raw() % kNanosPerSecond);
  store(length, r.segment.length.raw());
  store(lead, r.lead.raw());
  store(wall, r.wall.raw());
  const Calibration& c = r.calibration;
  store(older_at, c.older.at.raw());
  store(older_real, c.older.real.raw());
  store(newer_at, c.newer.at.raw());
  store(newer_real, c.newer.real.raw());
  store(widths, narrow(c.older.width) << kHalf | narrow(c.newer.width));
  store(rate, c.rate.raw());
  store(uncertainty_and_cpu, static_cast<std::uint64_t>(c.uncertainty_ppb) << kHalf | r.cpu);
}

inline bool Slot::get(SegmentRef ref, Record& out) const noexcept {
  using namespace slot_detail;
  const auto load = [](const Word& field) { return field.load(std::memory_order_acquire); };
  out.segment.start = Ticks{load(start)};
  out.segment.rate = Rate{load(mult)};
  out.segment.base = Nanos{static_cast<std::int64_t>(load(base_sec)) * kNanosPerSecond +
                           static_cast<std::int64_t>(load(base_nsec))};
  out.segment.length = TickDelta{load(length)};
  out.lead = nanos(load(lead));
  out.wall = nanos(load(wall));
  const std::uint64_t both = load(widths);
  out.calibration.older =
      Baseline{Ticks{load(older_at)}, TickDelta{both >> kHalf}, nanos(load(older_real))};
  out.calibration.newer =
      Baseline{Ticks{load(newer_at)}, TickDelta{both & kLowHalf}, nanos(load(newer_real))};
  out.calibration.rate = Rate{load(rate)};
  const std::uint64_t packed = load(uncertainty_and_cpu);
  out.calibration.uncertainty_ppb = static_cast<std::int64_t>(packed >> kHalf);
  out.cpu = static_cast<unsigned>(packed & kLowHalf);
  // The gate moves while the version stands, and no more once it is closed: so a closed version
  // vouches for the gate only where the gate is read after it.
  const std::uint64_t seen = version.load(std::memory_order_acquire);
  out.closed = static_cast<Closed>(seen & kClosedMask);
  out.gate = TickDelta{load(gate)};
  return (seen & ~kClosedMask) == ref &&
         (version.load(std::memory_order_relaxed) & ~kClosedMask) == ref;
}

}  // namespace clockshim
