// A counter for each CPU that differs from the real one by an offset, which the environment gives,
// and that may drift from some moment on: for a build of the library whose CPUs' counters disagree
// on any machine, at full speed. An offset always belongs to the CPU that the real counter was read
// on.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "arch/counter_x86_64.h"

namespace clockshim {

// TEST_PLANTED="OFFSET,..." gives the offset of each CPU in ticks, 0 where there is none.
inline constexpr unsigned kPlantedCpus = 256;
// The host may set it in its run (dlsym): from a counter value on, the counters of odd CPUs run
// faster by `ppm`. It is exported as clockshim_planted_drift.
struct PlantedDrift {
  std::atomic<std::uint64_t> from;  // 0: never
  std::atomic<std::int64_t> ppm;
};

}  // namespace clockshim

extern "C" __attribute__((visibility("default"))) clockshim::PlantedDrift clockshim_planted_drift;
extern "C" __attribute__((visibility("hidden")))
std::int64_t clockshim_planted_offsets[clockshim::kPlantedCpus];

namespace clockshim {

struct PlantedCounter : CounterX86_64 {
  static CLOCKSHIM_INLINE Ticks ordered() noexcept { return by_aux().ticks; }
  static CLOCKSHIM_INLINE Ticks unordered() noexcept { return by_aux().ticks; }
  static CLOCKSHIM_INLINE Reading ordered_here(std::ptrdiff_t area) noexcept {
    return planted(CounterX86_64::ordered_here(area));
  }
  static CLOCKSHIM_INLINE Reading unordered_here(std::ptrdiff_t area) noexcept {
    return planted(CounterX86_64::unordered_here(area));
  }
  static CLOCKSHIM_INLINE Reading by_aux() noexcept { return planted(CounterX86_64::by_aux()); }

 private:
  static CLOCKSHIM_INLINE Reading planted(Reading real) noexcept {
    if (real.cpu >= kPlantedCpus) return real;
    std::int64_t ahead = clockshim_planted_offsets[real.cpu];
    const std::uint64_t from = clockshim_planted_drift.from.load(std::memory_order_relaxed);
    if (from != 0 && real.cpu % 2 == 1) {
      const auto since = static_cast<std::int64_t>(real.ticks.raw() - from);
      const std::int64_t ppm = clockshim_planted_drift.ppm.load(std::memory_order_relaxed);
      if (since > 0) ahead += since / 1'000'000 * ppm + since % 1'000'000 * ppm / 1'000'000;
    }
    return {real.ticks + TickDelta{static_cast<std::uint64_t>(ahead)}, real.cpu};
  }
};
using Arch = PlantedCounter;

}  // namespace clockshim
