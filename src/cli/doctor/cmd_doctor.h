// `clockshim doctor`: says why the clock is slow, whether this machine has a problem, and what
// should be done.
#pragma once

namespace clockshim::cli {

class CommandLine;

inline constexpr int kHealthy = 0;
inline constexpr int kFinding = 1;  // the machine is not healthy, or the shim will not work there
inline constexpr int kError = 2;

// Exit status: one of the above.
void add_doctor_command(CommandLine& line);

}  // namespace clockshim::cli
