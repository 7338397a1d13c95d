#include "os/clocksource.h"

#include <sys/prctl.h>
#include <sys/syscall.h>

#include <ctime>

#include "os/kernel_line.h"
#include "os/raw_syscall.h"

namespace clockshim {

std::string current_clocksource() {
  char buffer[64];
  const std::string_view name =
      kernel_line("/sys/devices/system/clocksource/clocksource0/current_clocksource", buffer);
  return std::string(name.empty() ? "unknown" : name);
}

Nanos clocksource_granularity(std::string_view name) noexcept {
  if (name == "acpi_pm") return Nanos{280};
  if (name == "hpet" || name.starts_with("hyperv")) return Nanos{100};
  if (name == "pit") return Nanos{839};
  if (name.ends_with("jiffies")) return coarse_tick();
  return Nanos{1};
}

Nanos coarse_tick() noexcept {
  timespec tick{};
  const long error =
      raw_syscall(SYS_clock_getres, CLOCK_MONOTONIC_COARSE, reinterpret_cast<long>(&tick));
  return error == 0 ? from_timespec(tick) : Nanos{0};
}

bool counter_forbidden() noexcept {
  int mode = PR_TSC_ENABLE;
  return prctl(PR_GET_TSC, &mode) == 0 && mode == PR_TSC_SIGSEGV;
}

bool seccomp_filtered() noexcept { return prctl(PR_GET_SECCOMP) > 0; }

}  // namespace clockshim
