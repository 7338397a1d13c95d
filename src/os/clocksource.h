// What the kernel says it uses for its clocks.
#pragma once

#include <string>

namespace clockshim {

// The content of /sys/devices/system/clocksource/clocksource0/current_clocksource, or "unknown" where that cannot be
// read (a container without /sys). Allocates, opens a file: at start and at exit only.
std::string current_clocksource();

// Whether PR_SET_TSC makes rdtsc fault in this process (prctl(2), PR_GET_TSC).
bool counter_forbidden() noexcept;

// Whether a seccomp filter is on this thread (prctl(2), PR_GET_SECCOMP): then files are better not opened.
bool seccomp_filtered() noexcept;

}  // namespace clockshim
