// `clockshim run`: starts a command under the shim, and ends as the command ends.
#pragma once

namespace clockshim::cli {

class CommandLine;

// Exit status: the command's; if a signal ended the command, this process dies of the same signal.
// kUsageError: nothing was started.
inline constexpr int kMayNotRun = 126;
inline constexpr int kNotFound = 127;

void add_run_command(CommandLine& line);

}  // namespace clockshim::cli
