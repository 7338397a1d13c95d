// From the process's own region to a Report with names. At exit: allocates, reads symbol files.
#pragma once

#include "report/report.h"

namespace clockshim {

// Callers have no names yet.
Report collect_report();

// Gives them their names, from files: some milliseconds.
void name_callers(Report& report);

// And threads that still run, from /proc: some microseconds each.
void name_threads(Report& report);

}  // namespace clockshim
