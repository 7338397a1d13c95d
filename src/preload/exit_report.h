// The report that a process writes when it ends in good order.
#pragma once

#include <string>

#include "preload/state.h"

namespace clockshim {

// What is wrong with the report's path now, or "". Problems that only show when it is written (a
// full disk) are reported then.
std::string report_path_problem(const ProcessState& state);

// At exit: writes the report where it has to go, and removes the live file if that succeeded.
void write_exit_report(const ProcessState& state);

}  // namespace clockshim
