// Whether a process can be served on this machine, by these settings.
#pragma once

#include <string>

#include "os/settings.h"

namespace clockshim {

// Why calls must be passed through; "" if they can be served. It reads the clock and the counter
// some times, a few microseconds: at start only.
std::string reason_to_pass_through(const Settings& settings, const std::string& clocksource);

}  // namespace clockshim
