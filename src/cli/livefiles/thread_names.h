// The names of a running process's threads. The process keeps none: that would take a system call.
#pragma once

#include "cli/livefiles/live_dir.h"
#include "report/report.h"

namespace clockshim::cli {

// Of those that still run: from /proc, with their numbers as we see them. The file is the one that
// the report was made of.
void name_threads(const LiveFile& file, Report& report);

}  // namespace clockshim::cli
