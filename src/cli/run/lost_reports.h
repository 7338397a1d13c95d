// Reports for processes of a run that could not write their own, because they were killed, or ended
// by _exit or exec. Their live files still exist.
#pragma once

#include <sys/types.h>

#include "cli/livefiles/live_folders.h"
#include "os/settings.h"

namespace clockshim::cli {

// Writes the reports of the command (`command` is its pid) and its children as the library would
// have, as settings.report says: on standard error, or each to its own file. Then removes the live
// files.
void write_lost_reports(pid_t command, const Folders& folders, const Settings& settings);

}  // namespace clockshim::cli
