// `clockshim run`: starts a command under the shim, and ends as the command ends.
#pragma once

#include <string>
#include <vector>

#include "cli/run/run_settings.h"

namespace clockshim::cli {

inline constexpr int kUsageError = 2;
inline constexpr int kMayNotRun = 126;
inline constexpr int kNotFound = 127;

// Runs argv (not empty) and returns its exit status. If a signal ended it, this process dies of the
// same signal. kUsageError: nothing was started.
int run(std::vector<RunOption> options, const std::vector<std::string>& argv);

}  // namespace clockshim::cli
