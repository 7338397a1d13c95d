// A report out of a live file, or out of the library's own memory, which has the same layout. Frames come without names:
// modules and offsets only.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "base/nanos.h"
#include "live/layout.h"
#include "report/report.h"

namespace clockshim {

// The head of a live file, once it is found to be one whose sections lie within `bytes`; else null, with the reason ("is no
// live file", "is of layout version 2; this command reads 1", "is cut short"). What stands in the fields is not checked.
// `bytes` must be aligned as a mapping is (4096).
const live::Header* live_header(std::span<const std::byte> bytes, std::string& problem);

// `bytes`: a copy or a mapping of a whole file, or a live::Region whose header is filled in. It may be hostile: nothing in
// it is believed before it is checked. False, with the reason, as above.
//
// Whether the process still runs can't be seen in the file: state is "ended" where the file says so, else "running".
// `now`: CLOCK_MONOTONIC, where the process is known to run, so that `seconds` reaches to here; else to its last resync.
bool read_live(std::span<const std::byte> bytes, Report& out, std::string& problem, Nanos now = Nanos{});

}  // namespace clockshim
