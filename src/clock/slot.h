// A published segment in memory: 128 bytes of atomics. One thread at a time writes them, and all
// threads may read them at any time.
//
// A reference (SegmentRef, 64 bits) names one use of a slot:
//
//    63 62 61                   36 35     23 22                    0
//   +-----+-----------------------+---------+-----------------------+
//   |  0  |  use count (26 bits)  |    0    |  slot offset (bytes)  |
//   +-----+-----------------------+---------+-----------------------+
//
// slot.version equals the reference while the segment is open. Bits 62 and 63 of the version say
// why it was closed (Closed); both are set, and all others clear, while the fields are being
// written (kBeingWritten). So version XOR reference is either 0 or at least 2^36, which is above
// any gate: one unsigned comparison rejects a closed segment, a slot that was used again, and an
// age past the gate.
//
// Stores release and loads acquire, so that they keep their order. The version is written first and
// last, and read last, so it decides whether the fields that were read belong together. Version and
// gate form one 16-byte pair, because a gate may be moved only while the version stands: never in a
// slot that was closed or used again meanwhile.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "base/segment.h"
#include "clock/calibration.h"

namespace clockshim {

// The layout is drawn above. 0 means that nothing is published.
using SegmentRef = std::uint64_t;
inline constexpr unsigned kSlotBytes = 128;
inline constexpr unsigned kOffsetBits = 23;
inline constexpr SegmentRef kOffsetMask = (SegmentRef{1} << kOffsetBits) - 1;
// The use count starts above the highest bit that a gate can have, for the single comparison that
// is explained above.
inline constexpr unsigned kUsesShift = 36;
inline constexpr unsigned kUsesBits = 26;
static_assert(to_ticks(kMaxSegment, kFastestCounter).raw() < std::uint64_t{1} << kUsesShift);

// Why a segment is no longer served: the two top bits of a version.
inline constexpr unsigned kClosedShift = kUsesShift + kUsesBits;
enum class Closed : std::uint64_t {
  no = 0,
  over = std::uint64_t{1} << kClosedShift,  // it came to its end, or its chain is not used any more
  disturbed = std::uint64_t{2}
              << kClosedShift,  // the segment was wrong, so the counter is not trusted across it
  set = std::uint64_t{3} << kClosedShift,  // the clock was set; the counter is not to blame
};
inline constexpr std::uint64_t kClosedMask = std::uint64_t{3} << kClosedShift;
static_assert(kClosedShift == 62);
// It can't be 0, because a clock without a published segment has the reference 0, and its offset is
// the first slot's.
inline constexpr SegmentRef kBeingWritten = kClosedMask;

// Uses are numbered from 1 and repeat after 2^26 - 1. To mistake one for another a reader would
// have to sleep for days, and wake up in the very same use.
constexpr std::uint32_t next_use(std::uint32_t uses) {
  return uses == (1U << kUsesBits) - 1 ? 1 : uses + 1;
}
constexpr SegmentRef segment_ref(std::uint32_t uses, unsigned offset) {
  return std::uint64_t{uses} << kUsesShift | offset;
}

struct Record {
  Segment segment;  // length 0: it holds only a calibration, and `base` is the least that may be
                    // served next
  TickDelta gate;   // no thread has been served at or past this age
  Closed closed = Closed::no;
  Calibration calibration;
  unsigned cpu = 0;  // the CPU on which the newest sample was taken
  Nanos wall;        // REALTIME_COARSE - MONOTONIC_COARSE when it was taken
  Nanos lead;        // the segment's time - MONOTONIC_COARSE when it was taken

  // The age from which a successor is due: three quarters of the length.
  [[nodiscard]] TickDelta due() const {
    return TickDelta{segment.length.raw() * policy::kDueEighths / 8};
  }
  // The upper bound of what any thread was served from a closed segment, even if its counter has
  // jumped.
  [[nodiscard]] Nanos closing_value() const { return segment.at(segment.start + gate); }
  // The upper bound of what was served by the time `now`, if the counter is trusted.
  [[nodiscard]] Nanos value_by(Ticks now) const {
    return now - segment.start < gate ? segment.at(now) : closing_value();
  }
};

struct alignas(kSlotBytes) Slot {
  using Word = std::atomic<std::uint64_t>;
  // These eight words are the cache line that the fast path reads.
  Word version;
  Word gate;  // served while age < gate; each check moves it on, up to the length
  Word start;
  Word mult;
  Word base_sec;
  Word base_nsec;
  Word length;
  Word lead;
  // These eight are for the thread that builds the successor.
  Word wall, older_at, older_real, newer_at, newer_real, widths, rate, uncertainty_and_cpu;

  // Writes all fields except the version.
  void put(const Record& r) noexcept;
  // Copies the segment that `ref` names. Returns false if the slot has been used again meanwhile.
  bool get(SegmentRef ref, Record& out) const noexcept;
};
static_assert(sizeof(Slot) == kSlotBytes);

namespace slot_detail {
inline constexpr unsigned kHalf = 32;
inline constexpr std::uint64_t kLowHalf = (std::uint64_t{1} << kHalf) - 1;
// Cuts a width at 2^32 - 1 ticks (a second): a wider bracket is useless.
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
  // The gate moves only while the version stands. So the gate must be read after the version: only
  // then does a closed version prove that the gate is final.
  const std::uint64_t seen = version.load(std::memory_order_acquire);
  out.closed = static_cast<Closed>(seen & kClosedMask);
  out.gate = TickDelta{load(gate)};
  return (seen & ~kClosedMask) == ref &&
         (version.load(std::memory_order_relaxed) & ~kClosedMask) == ref;
}

}  // namespace clockshim
