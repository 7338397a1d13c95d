// How often a process that has the library reads the clock, and what that saves, by two looks at
// its live file.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "base/nanos.h"

namespace clockshim::cli {

struct LiveRate {
  double calls_a_second = 0;
  double saved_share = 0;  // of a core
};

// Looks twice, `length` apart. None if there is no live file that can be read, or it does not
// count; `why_not` says which.
std::optional<LiveRate> read_live_rate(pid_t pid, Nanos length, std::string& why_not);

}  // namespace clockshim::cli
