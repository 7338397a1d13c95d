// A report out of a live file, or out of the library's own memory, which has the same layout. Frames come without names:
// modules and offsets only.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <span>
#include <string>

#include "report/report.h"

namespace clockshim {

// `bytes`: a copy or a mapping of a whole file. It may be hostile: nothing in it is believed before it is checked. False, with
// the reason ("is no live file", "is of layout version 2; this command reads 1", "is cut short").
bool read_live(std::span<const std::byte> bytes, Report& out, std::string& problem);

}  // namespace clockshim
