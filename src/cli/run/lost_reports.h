// Reports of processes of a run that could not write their own: killed, or gone by _exit or exec.
// Their live files are still there.
#pragma once

#include <sys/types.h>

#include "cli/livefiles/live_folders.h"
#include "os/settings.h"

namespace clockshim::cli {

// Those of processes that the command `command` (its process id) and its children have been. Where
// settings.report says, as the library would have: on standard error, or in a file of its own name.
// The live files are removed once that is done.
void tell_lost(pid_t command, const Folders& folders, const Settings& settings);

}  // namespace clockshim::cli
