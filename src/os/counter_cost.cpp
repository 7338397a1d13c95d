#include "os/counter_cost.h"

#include <algorithm>
#include <cstdint>
#include <ctime>

#include "arch/counter.h"
#include "os/real_clock.h"

namespace clockshim {

bool counter_expensive() noexcept {
  constexpr int kReadings = 8;
  constexpr std::uint64_t kFactor =
      2;  // the same cost is fine: on a good machine the vDSO costs hardly more than the counter
  std::uint64_t counter = UINT64_MAX;
  std::uint64_t clock = UINT64_MAX;
  Nanos ignored;
  for (int i = 0; i < kReadings; ++i) {
    const Ticks a = Arch::ordered();
    const Ticks b = Arch::ordered();
    real::read(CLOCK_MONOTONIC, ignored);
    const Ticks c = Arch::ordered();
    counter = std::min(counter, (b - a).raw());
    clock = std::min(clock, (c - b).raw());
  }
  return counter > kFactor * clock;
}

}  // namespace clockshim
