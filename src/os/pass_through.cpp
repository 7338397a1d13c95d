#include "os/pass_through.h"

#include <algorithm>
#include <cstdint>
#include <ctime>

#include "arch/counter.h"
#include "arch/cpu_features.h"
#include "os/clocksource.h"
#include "os/real_clock.h"

namespace clockshim {
namespace {

// Whether reading the counter costs more than the clock itself, because a hypervisor or the kernel
// traps it. The costs are measured in ticks of that counter, so no time base is needed.
bool counter_expensive() {
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

}  // namespace

std::string reason_to_pass_through(const Settings& settings, const std::string& clocksource) {
  if (!settings.serving_errors.empty()) return "a setting can't be used";
  if (settings.tolerance == Nanos{0}) return "CLOCKSHIM_TOLERANCE=0: count, serve nothing";
  if (counter_forbidden()) return "PR_SET_TSC forbids the time stamp counter here";
  if (counter_expensive()) return "reading the time stamp counter costs more than the clock does";
  if (clocksource == "tsc")
    return "";  // the kernel has tested it, so CPUID, which a hypervisor traps, is not needed
  // A virtual machine often lacks the CPUID flag, but its counter is the host's, at one constant
  // rate. Each resync checks it.
  if (!counter_invariant() && !in_virtual_machine())
    return "the CPU does not promise an invariant TSC";
  return "";
}

}  // namespace clockshim
