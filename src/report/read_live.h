// Makes a report from a live file, or from the library's own memory, which has the same layout.
// Frames have no names yet: only modules and offsets.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "base/nanos.h"
#include "live/layout.h"
#include "report/report.h"

namespace clockshim {

// `bytes` is a copy or a mapping of a whole file, or a live::Region whose header is filled in. It
// may be hostile: everything is checked before it is used. False, with the reason as of
// live_header(), if it can't be read.
//
// The file does not show whether the process still runs: the state is "ended" if the file says so,
// else "running". `now` is CLOCK_MONOTONIC if the process is known to run, so that `seconds`
// extends to now; otherwise it extends to the last resync.
bool read_live(std::span<const std::byte> bytes, Report& out, std::string& problem,
               Nanos now = Nanos{});

}  // namespace clockshim
