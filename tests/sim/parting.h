// How soon the CPUs are parted after the counter of one of them has jumped: docs/design.md, "one
// counter that jumps". What that bound presumes is measured: how often a clock is read on each CPU.
#pragma once

#include <ctime>
#include <vector>

#include "base/clock_id.h"
#include "plan.h"

namespace sim {

class Parting {
 public:
  void jumped(const Disturbance& d) { jump_ = d; }
  void parted(Ps at) {
    if (jump_.at != 0 && parted_ == 0) parted_ = at;
  }
  void read(unsigned cpu, clockid_t id, Ps begin, Ps end);

  [[nodiscard]] Ps jumped_at() const { return jump_.at; }
  [[nodiscard]] Ps after() const { return parted_ == 0 ? 0 : parted_ - jump_.at; }
  // The bound of after(), in a schedule that is over at `now`; 0: there is none.
  [[nodiscard]] Ps bound(Ps now, const Plan& plan) const;

 private:
  struct Gap {
    Ps since = 0;  // the newest read's begin
    Ps longest = 0;
  };
  static constexpr unsigned kMostCpus = 4;
  Disturbance jump_{};
  Ps parted_ = 0;
  Gap gaps_[kMostCpus][clockshim::kClockIds]{};
};

}  // namespace sim
