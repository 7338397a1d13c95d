// A report out of a live file, or out of the library's own memory, which has the same layout.
// Frames come without names: modules and offsets only.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "base/nanos.h"
#include "live/layout.h"
#include "report/report.h"

namespace clockshim {

// `bytes`: a copy or a mapping of a whole file, or a live::Region whose header is filled in. It may
// be hostile: nothing in it is believed before it is checked. False, with the reason, as
// live_header() says it.
//
// Whether the process still runs can't be seen in the file: state is "ended" where the file says
// so, else "running". `now`: CLOCK_MONOTONIC, where the process is known to run, so that `seconds`
// reaches to here; else to its last resync.
bool read_live(std::span<const std::byte> bytes, Report& out, std::string& problem,
               Nanos now = Nanos{});

}  // namespace clockshim
