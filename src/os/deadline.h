// A time by which something is over. What ends the host may wait for nobody for long: it sets one,
// and looks at it between its steps.
#pragma once

#include "base/nanos.h"
#include "os/real_clock.h"

namespace clockshim {

class Deadline {
 public:
  explicit Deadline(Nanos from_now) noexcept : at_(now() + from_now) {}
  [[nodiscard]] Nanos left() const noexcept {
    const Nanos left = at_ - now();
    return left > Nanos{0} ? left : Nanos{0};
  }
  [[nodiscard]] bool passed() const noexcept { return left() == Nanos{0}; }

 private:
  static Nanos now() noexcept {
    Nanos now;
    real::read(CLOCK_MONOTONIC, now);
    return now;
  }
  Nanos at_;
};

}  // namespace clockshim
