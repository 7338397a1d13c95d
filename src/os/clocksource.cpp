#include "os/clocksource.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <ctime>

namespace clockshim {

std::string current_clocksource() {
  const int fd = open("/sys/devices/system/clocksource/clocksource0/current_clocksource",
                      O_RDONLY | O_CLOEXEC);
  if (fd < 0) return "unknown";
  char text[64];
  const ssize_t length = ::read(fd, text, sizeof text);
  close(fd);
  if (length <= 0) return "unknown";
  std::string name(text, static_cast<std::size_t>(length));
  while (!name.empty() && (name.back() == '\n' || name.back() == ' ')) name.pop_back();
  return name.empty() ? "unknown" : name;
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
  return clock_getres(CLOCK_MONOTONIC_COARSE, &tick) == 0 ? from_timespec(tick) : Nanos{0};
}

bool counter_forbidden() noexcept {
  int mode = PR_TSC_ENABLE;
  return prctl(PR_GET_TSC, &mode) == 0 && mode == PR_TSC_SIGSEGV;
}

bool seccomp_filtered() noexcept { return prctl(PR_GET_SECCOMP) > 0; }

}  // namespace clockshim
