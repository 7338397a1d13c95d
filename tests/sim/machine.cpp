#include "machine.h"

#include <algorithm>
#include <cmath>

namespace sim {
namespace {

// Rates are per picosecond in 20.44 fixed point: an exact sum, the same on every machine.
constexpr unsigned kShift = 44;
constexpr double kScale = 17.592186044416;  // 2^44 / 10^12

// One tick in so many is late, by the interrupts that are held off; one in more is late by much:
// the vCPU was away.
constexpr std::uint64_t kLateOneIn = 25;
constexpr std::uint64_t kVeryLateOneIn = 400;
constexpr Ps kLate = kMs;
constexpr Ps kVeryLate = 20 * kMs;

}  // namespace

Curve::Piece::Piece(Ps f, std::int64_t b, double r)
    : from(f), base(b), per_second(r), mult(static_cast<std::uint64_t>(std::llround(r * kScale))) {}

std::int64_t Curve::at(Ps t) const {
  auto piece = pieces_.rbegin();
  while (piece->from > t && piece + 1 != pieces_.rend()) ++piece;
  const auto passed = static_cast<Wide>(t - piece->from);
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(piece->base) +
                                   static_cast<std::uint64_t>(passed * piece->mult >> kShift));
}

std::int64_t Steps::at(Ps t) const {
  auto step = steps_.rbegin();
  while (step->when > t && step + 1 != steps_.rend()) ++step;
  return step->value;
}

std::int64_t Kernel::at(clockid_t id, Ps t) const {
  const Ps read = t - t % granularity_;
  switch (id) {
    case CLOCK_MONOTONIC_RAW: return raw_.at(read);
    case CLOCK_BOOTTIME: return monotonic_.at(read) + slept_.at(t);
    case CLOCK_REALTIME: return monotonic_.at(read) + wall_.at(t);
    case CLOCK_TAI: return monotonic_.at(read) + wall_.at(t) + tai_.at(t);
    default: return monotonic_.at(read);
  }
}

Range Kernel::between(clockid_t id, Ps begin, Ps end) const {
  Range range{at(id, begin), at(id, begin)};
  const auto include = [&](Ps t) {
    range.low = std::min(range.low, at(id, t));
    range.high = std::max(range.high, at(id, t));
  };
  include(end);
  const auto both_sides = [&](Ps when) {
    include(when - 1);
    include(when);
  };
  wall_.within(begin, end, both_sides);
  slept_.within(begin, end, both_sides);
  return range;
}

// When the newest tick was that has been dealt with at t.
Ps Kernel::ticked(Ps t) const {
  for (Ps tick = t - t % tick_; tick > 0; tick -= tick_) {
    Random random(seed_ ^ static_cast<std::uint64_t>(tick));
    Ps late = random.between(0, 20 * kUs);
    if (random.one_in(kLateOneIn)) late = random.between(0, kLate);
    if (random.one_in(kVeryLateOneIn)) late = random.between(0, kVeryLate);
    if (tick + late <= t) return tick;
  }
  return 0;
}

CoarseValues Kernel::coarse(Ps t) const {
  const std::int64_t monotonic = monotonic_.at(std::max(ticked(t), updated_));
  return {monotonic + wall_.at(t), monotonic};
}

void Kernel::step_wall(Ps t, std::int64_t by_ns) {
  wall_.step(t, by_ns);
  updated_ = t;
}

void Kernel::suspend(Ps t, Ps length) {
  for (Curve* curve : {&monotonic_, &raw_}) {
    const double rate = curve->rate();
    curve->change_rate(t, 0);
    curve->change_rate(t + length, rate);
  }
  wall_.step(t + length, length / kNs);
  slept_.step(t + length, length / kNs);
  updated_ = t + length;
}

}  // namespace sim
