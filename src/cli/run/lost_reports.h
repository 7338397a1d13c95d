// Reports for processes of a run that could not write their own, because they were killed, or ended
// by _exit or exec. Their live files still exist.
#pragma once

#include <sys/types.h>

#include "cli/livefiles/live_folders.h"
#include "cli/run/run_summary.h"
#include "os/settings.h"

namespace clockshim::cli {

// Takes the reports of the command (`command` is its pid) and its children from live files, and
// removes these. With `summary`, they are added to it. Else each goes to its own file, as the
// library would have written it, if settings.report is a path.
void take_lost_reports(pid_t command, const Folders& folders, const Settings& settings,
                       RunSummary* summary);

}  // namespace clockshim::cli
