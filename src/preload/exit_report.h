// The report that a process leaves when it ends in good order.
#pragma once

#include <string>

#include "preload/state.h"

namespace clockshim {

// Whether CLOCKSHIM_REPORT names a file.
bool report_is_path(const Settings& settings);

// What is wrong with that file's path as it stands now, or "". What only shows when it is written
// (a full disk) is told then.
std::string report_path_problem(const ProcessState& state);

// At the end: writes the report where it is to go, and removes the live file if that was done.
void tell(const ProcessState& state);

}  // namespace clockshim
