// The names of a running process's threads. The process does not store them, because that would
// take a system call.
#pragma once

#include "cli/livefiles/live_dir.h"
#include "report/report.h"

namespace clockshim::cli {

// Names the threads that still run, from /proc, by their numbers in our namespace. The report must
// be made from `file`.
void name_threads(const LiveFile& file, Report& report);

}  // namespace clockshim::cli
