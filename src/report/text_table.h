// The parts of the report for people, in 100 columns.
#pragma once

#include <string>

#include "report/report.h"

namespace clockshim {

std::string text_head(const Report& report);     // the process, its calls, its clock, and notes
std::string text_columns(const Report& report);  // the column headings
std::string text_callers(
    const Report& report);  // headings and the busiest callers; "": there are none
std::string text_threads(
    const Report& report);  // the same for each thread; only the command has it
std::string text_advice(const Report& report);

// A line of the table, and the lines below it: the whole name, the place and, if `with_via`, the
// way through wrappers. Shares are of all calls of the report.
std::string text_caller(const Report& report, const ReportSite& site, bool with_via);
// A line for something other than a caller: a thread, or the number of further callers. There is a
// column for the nanoseconds that were saved where the report has any.
std::string text_line(const Report& report, std::uint64_t calls, std::int64_t saved_ns,
                      const std::string& name);

}  // namespace clockshim
