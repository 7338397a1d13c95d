// Nanoseconds: a point on a kernel clock, or a length of time. Signed 64 bits: +-292 years.
#pragma once

#include <compare>
#include <cstdint>
#include <ctime>

namespace clockshim {

inline constexpr std::int64_t kNanosPerSecond = 1'000'000'000;

class Nanos {
 public:
  constexpr Nanos() = default;
  constexpr explicit Nanos(std::int64_t raw) : raw_(raw) {}
  [[nodiscard]] constexpr std::int64_t raw() const { return raw_; }
  friend constexpr auto operator<=>(Nanos, Nanos) = default;
  friend constexpr Nanos operator+(Nanos a, Nanos b) { return Nanos{a.raw_ + b.raw_}; }
  friend constexpr Nanos operator-(Nanos a, Nanos b) { return Nanos{a.raw_ - b.raw_}; }

 private:
  std::int64_t raw_ = 0;
};

constexpr Nanos from_timespec(const timespec& t) {
  return Nanos{t.tv_sec * kNanosPerSecond + t.tv_nsec};
}
constexpr Nanos microseconds(std::int64_t n) { return Nanos{n * 1000}; }
constexpr Nanos milliseconds(std::int64_t n) { return Nanos{n * 1'000'000}; }
constexpr Nanos magnitude(Nanos n) { return n.raw() < 0 ? Nanos{-n.raw()} : n; }

}  // namespace clockshim
