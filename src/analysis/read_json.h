// Reads a report in its JSON form, written by the library at exit (by this version or an older
// one), or by the command.
#pragma once

#include <string>
#include <string_view>

#include "report/report.h"

namespace clockshim {

// False, with the reason ("is neither a live file nor a report: not JSON, or cut short", "is of
// schema version 2; this command reads 1", "is no report: \"sites\" must be an array"). Keys that
// older versions did not write keep the defaults of Report.
bool read_json(std::string_view json, Report& out, std::string& problem);

}  // namespace clockshim
