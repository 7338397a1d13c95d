// The machine that is simulated: true time, a counter for each CPU, and a kernel that keeps five
// clocks by a device of its own. What happened is kept, so that a clock's value can be asked for at
// any time that has passed.
#pragma once

#include <cstdint>
#include <ctime>
#include <vector>

#include "random.h"

namespace sim {

// True time, and lengths of it, in picoseconds: 106 days either way.
using Ps = std::int64_t;
inline constexpr Ps kNs = 1000;
inline constexpr Ps kUs = 1000 * kNs;
inline constexpr Ps kMs = 1000 * kUs;
inline constexpr Ps kSec = 1000 * kMs;

// What grows at a rate that may change, and may jump: a counter's ticks, a clock's nanoseconds.
class Curve {
 public:
  Curve(std::int64_t base, double per_second) : pieces_{{0, base, per_second}} {}
  [[nodiscard]] std::int64_t at(Ps t) const;
  [[nodiscard]] double rate() const { return pieces_.back().per_second; }
  void change_rate(Ps t, double per_second) { pieces_.emplace_back(t, at(t), per_second); }
  void jump(Ps t, std::int64_t by) { pieces_.emplace_back(t, at(t) + by, rate()); }

 private:
  struct Piece {
    Piece(Ps f, std::int64_t b, double r);
    Ps from;
    std::int64_t base;
    double per_second;
    std::uint64_t mult;
  };
  std::vector<Piece> pieces_;
};

// What is constant but for a few steps.
class Steps {
 public:
  explicit Steps(std::int64_t value) : steps_{{0, value}} {}
  [[nodiscard]] std::int64_t at(Ps t) const;
  void step(Ps t, std::int64_t by) { steps_.push_back({t, at(t) + by}); }
  // Calls visit(when) for each step in (begin, end].
  template <class Visit>
  void within(Ps begin, Ps end, Visit visit) const {
    for (const auto& step : steps_)
      if (step.when > begin && step.when <= end) visit(step.when);
  }

 private:
  struct Step {
    Ps when;
    std::int64_t value;
  };
  std::vector<Step> steps_;
};

struct Range {
  std::int64_t low;
  std::int64_t high;
};

struct CoarseValues {
  std::int64_t realtime;
  std::int64_t monotonic;
};

// The kernel's clocks, in nanoseconds.
class Kernel {
 public:
  // The device advances every `granularity`, the coarse clocks every `tick`, some of them late.
  Kernel(Ps granularity, Ps tick, std::uint64_t seed)
      : granularity_(granularity), tick_(tick), seed_(seed) {}

  [[nodiscard]] std::int64_t at(clockid_t id, Ps t) const;
  // All values that a reader may have been given between the two.
  [[nodiscard]] Range between(clockid_t id, Ps begin, Ps end) const;
  [[nodiscard]] CoarseValues coarse(Ps t) const;

  void step_wall(Ps t, std::int64_t by_ns);
  void change_frequency(Ps t, double ppm) { monotonic_.change_rate(t, 1e9 + ppm * 1e3); }
  // Nothing runs from t to t + length: MONOTONIC and RAW stand still, the others have gone on
  // afterwards.
  void suspend(Ps t, Ps length);

 private:
  [[nodiscard]] Ps ticked(Ps t) const;

  Ps granularity_;
  Ps tick_;
  std::uint64_t seed_;
  Ps updated_ = 0;  // a clock that is set brings the coarse ones up to date
  Curve monotonic_{50'000'000'000'000, 1e9};
  Curve raw_{49'999'000'000'000, 1e9};
  Steps wall_{1'700'000'000'000'000'000};
  Steps slept_{7'000'000'000};
  Steps tai_{37'000'000'000};
};

}  // namespace sim
