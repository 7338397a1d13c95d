// Counter values and differences of counter values. One tick is one step of the CPU's counter (the
// TSC on x86-64); its length in nanoseconds is measured, never assumed. No conversion to time lives
// here: see segment.h.
#pragma once

#include <compare>
#include <cstdint>

namespace clockshim {

// A difference of two counter values, modulo 2^64. A counter that went backwards shows as a huge
// value.
class TickDelta {
 public:
  constexpr TickDelta() = default;
  constexpr explicit TickDelta(std::uint64_t raw) : raw_(raw) {}
  [[nodiscard]] constexpr std::uint64_t raw() const { return raw_; }
  // True where the later reading is really the earlier one: the difference, taken as signed, is
  // negative.
  [[nodiscard]] constexpr bool backward() const { return static_cast<std::int64_t>(raw_) < 0; }
  friend constexpr auto operator<=>(TickDelta, TickDelta) = default;

 private:
  std::uint64_t raw_ = 0;
};

// A reading of the counter, 0 to 2^64 - 1, wrapping.
class Ticks {
 public:
  constexpr Ticks() = default;
  constexpr explicit Ticks(std::uint64_t raw) : raw_(raw) {}
  [[nodiscard]] constexpr std::uint64_t raw() const { return raw_; }
  // There is no ordering on purpose, because the counter wraps. Subtract, and look at the
  // difference.
  friend constexpr bool operator==(Ticks, Ticks) = default;
  friend constexpr TickDelta operator-(Ticks later, Ticks earlier) {
    return TickDelta{later.raw_ - earlier.raw_};
  }
  friend constexpr Ticks operator+(Ticks start, TickDelta d) { return Ticks{start.raw_ + d.raw()}; }

 private:
  std::uint64_t raw_ = 0;
};

// The CPU of a reading that was interrupted, and so may be from any CPU. It is above all CPU
// numbers, and the largest value of the fields that hold them.
inline constexpr unsigned kNoCpu = 1023;

// The offset of a CPU's counter where none is known. It takes a reading so far away that no segment
// covers it.
inline constexpr std::int64_t kNoOffset = std::int64_t{1} << 62;

// A value of the counter, and the CPU that it was read on.
struct Reading {
  Ticks ticks;
  unsigned cpu = 0;
};

}  // namespace clockshim
