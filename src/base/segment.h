// A segment: a line from ticks to nanoseconds that is valid for a fixed range of counter values,
//
//     time(t) = base + ((t - start) * mult >> 32)        for 0 <= t - start < length
//
// mult is the rate, in nanoseconds a tick, as 32.32 fixed point. Evaluation truncates (never rounds
// up), so time(t) does not decrease within a segment, and stays at or below end_value(), where the
// next segment starts. Headroom: length * mult < 2^64, and a whole segment spans less than a
// second, so that one carry is enough. make_segment() enforces both; the fast path relies on them.
#pragma once

#include <algorithm>
#include <compare>
#include <cstdint>

#include "base/nanos.h"
#include "base/ticks.h"

namespace clockshim {

inline constexpr unsigned kRateShift = 32;

// 128-bit integers for the products on the slow path. They are a GNU extension, marked here once.
__extension__ typedef __int128 Wide;
__extension__ typedef unsigned __int128 UnsignedWide;

// Nanoseconds a tick as 32.32 fixed point: 2^32 is a 1 GHz counter. Valid from 2^26 (64 GHz) to
// 2^42 (1 MHz).
class Rate {
 public:
  constexpr Rate() = default;
  constexpr explicit Rate(std::uint64_t raw) : raw_(raw) {}
  [[nodiscard]] constexpr std::uint64_t raw() const { return raw_; }
  [[nodiscard]] constexpr bool plausible() const {
    return raw_ >= (1ULL << 26) && raw_ <= (1ULL << 42);
  }
  // This rate, changed by ppb parts in 10^9 (-10^9 to 10^9).
  [[nodiscard]] constexpr Rate bent(std::int64_t ppb) const {
    const auto change = static_cast<Wide>(raw_) * ppb / kNanosPerSecond;
    return Rate{raw_ + static_cast<std::uint64_t>(static_cast<std::int64_t>(change))};
  }
  friend constexpr auto operator<=>(Rate, Rate) = default;

 private:
  std::uint64_t raw_ = 0;
};

inline constexpr Rate kFastestCounter{1ULL << 26};

// The rate of a counter that counted `ticks` while `elapsed` (>= 0) passed. Zero, and so
// implausible, for zero ticks.
constexpr Rate rate_of(TickDelta ticks, Nanos elapsed) {
  if (ticks.raw() == 0 || elapsed.raw() < 0) return Rate{};
  const auto scaled = static_cast<UnsignedWide>(elapsed.raw()) << kRateShift;
  const auto rate = scaled / ticks.raw();
  return Rate{rate > UINT64_MAX ? UINT64_MAX : static_cast<std::uint64_t>(rate)};
}

// Converts any number of ticks to nanoseconds, truncated. It uses 128 bits, so it needs no
// headroom; it is for the slow path.
constexpr Nanos to_nanos(TickDelta ticks, Rate rate) {
  return Nanos{
      static_cast<std::int64_t>(static_cast<UnsignedWide>(ticks.raw()) * rate.raw() >> kRateShift)};
}

// The number of ticks in a length of time (>= 0), truncated.
constexpr TickDelta to_ticks(Nanos length, Rate rate) {
  return TickDelta{static_cast<std::uint64_t>(
      (static_cast<UnsignedWide>(length.raw()) << kRateShift) / rate.raw())};
}

struct Segment {
  Ticks start;
  TickDelta length;
  Rate rate;
  Nanos base;

  [[nodiscard]] constexpr bool covers(Ticks t) const { return t - start < length; }
  [[nodiscard]] constexpr Ticks end() const { return start + length; }
  // The time at `t`, which must not be before start. Past the end it is an extrapolation, for
  // measuring errors only.
  [[nodiscard]] constexpr Nanos at(Ticks t) const { return base + to_nanos(t - start, rate); }
  [[nodiscard]] constexpr Nanos end_value() const { return at(end()); }
};

// The longest segment, in nanoseconds: half a second keeps the carry single and, with
// Rate::plausible(), the product (length * mult <= 2^29 * 2^32) far from 2^64.
inline constexpr Nanos kMaxSegment = milliseconds(500);
static_assert(kMaxSegment.raw() < kNanosPerSecond, "one carry must be enough");
static_assert(kMaxSegment.raw() < (1LL << 31), "length * mult must stay below 2^63");

constexpr Segment make_segment(Ticks start, Nanos base, Rate rate, Nanos length) {
  return Segment{start, to_ticks(std::min(length, kMaxSegment), rate), rate, base};
}

}  // namespace clockshim
