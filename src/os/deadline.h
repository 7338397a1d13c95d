// A point in time by which something must be over. Code that runs while the host exits must not
// wait long for anything: it sets a deadline, and checks it between its steps.
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
