// Makes a Report with names from the process's own region. At exit only: it allocates, and reads
// symbol files.
#pragma once

#include "os/deadline.h"
#include "report/report.h"

namespace clockshim {

// Makes the report. Its callers have no names yet.
Report collect_report();

// Names the callers from files, which takes some milliseconds. If `deadline` passes before all are
// named, a note in the report says so.
void name_callers(Report& report, bool demangle, const Deadline& deadline);

// Names the threads that still run, from /proc, in some microseconds each.
void name_own_threads(Report& report, const Deadline& deadline);

}  // namespace clockshim
