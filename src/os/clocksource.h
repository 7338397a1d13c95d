// What the kernel uses for its clocks.
#pragma once

#include <string>
#include <string_view>

#include "base/nanos.h"

namespace clockshim {

// The content of /sys/devices/system/clocksource/clocksource0/current_clocksource, or "unknown" if
// that can't be read (a container without /sys). It allocates and opens a file, so call it at start
// and at exit only.
std::string current_clocksource();

// The step in which the kernel's clock advances on this clocksource, rounded up. It is one period
// of the device if a specification fixes its frequency (acpi_pm 3.579545 MHz, ACPI 4.8.3.3; hpet at
// least 10 MHz, IA-PC HPET 2.2; pit 1.193182 MHz; hyperv 10 MHz), a tick for jiffies, else a
// nanosecond.
Nanos clocksource_granularity(std::string_view name) noexcept;

// The step in which the coarse clocks advance (clock_getres); zero if there are none.
Nanos coarse_tick() noexcept;

// Whether PR_SET_TSC makes rdtsc fault in this process (prctl(2), PR_GET_TSC).
bool counter_forbidden() noexcept;

// Whether this thread has a seccomp filter (prctl(2), PR_GET_SECCOMP). A filter that the process
// has installed itself may kill it for this call.
bool seccomp_filtered() noexcept;

}  // namespace clockshim
