// From the process's own region to a Report with names. At exit: allocates, reads symbol files.
#pragma once

#include "os/deadline.h"
#include "report/report.h"

namespace clockshim {

// Callers have no names yet.
Report collect_report();

// Gives them their names, from files: some milliseconds. A note says so where there was no time for
// all.
void name_callers(Report& report, bool demangle, const Deadline& deadline);

// And threads that still run, from /proc: some microseconds each.
void name_own_threads(Report& report, const Deadline& deadline);

}  // namespace clockshim
