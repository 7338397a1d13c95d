// What the kernel says it uses for its clocks.
#pragma once

#include <string>
#include <string_view>

#include "base/nanos.h"

namespace clockshim {

// The content of /sys/devices/system/clocksource/clocksource0/current_clocksource, or "unknown"
// where that cannot be read (a container without /sys). Allocates, opens a file: at start and at
// exit only.
std::string current_clocksource();

// In what steps the kernel's clock advances on this clocksource, rounded up: one period of the
// device where its frequency is fixed by its specification (acpi_pm 3.579545 MHz, ACPI 4.8.3.3;
// hpet at least 10 MHz, IA-PC HPET 2.2; pit 1.193182 MHz; hyperv 10 MHz), a tick for jiffies, else
// a nanosecond.
Nanos clocksource_granularity(std::string_view name) noexcept;

// In what steps the coarse clocks advance (clock_getres); zero where there are none.
Nanos coarse_tick() noexcept;

// Whether PR_SET_TSC makes rdtsc fault in this process (prctl(2), PR_GET_TSC).
bool counter_forbidden() noexcept;

// Whether a seccomp filter is on this thread (prctl(2), PR_GET_SECCOMP). One that the process has
// put on itself may kill for asking.
bool seccomp_filtered() noexcept;

}  // namespace clockshim
