// Reports from where they are: live files, JSON reports, processes. With names.
#pragma once

#include <string>
#include <vector>

#include "report/report.h"
#include "symbolize/symbolize.h"

namespace clockshim::cli {

// From a path ("-": standard input) of a live file or a JSON report. False, with a line that names
// it and what is wrong.
bool load_file(const std::string& path, Symbolizer& symbolizer, Report& out, std::string& problem);

// From a live file. False, with why in words that go behind the path; "" where it holds nothing
// that was not told.
bool load_live(const std::string& path, Symbolizer& symbolizer, Report& out, std::string& problem);

// Of a process: of its live file, the newest where there are several. `children`: also of those
// that it forked, and of all that the same `clockshim run` started; its own first.
bool load_process(long pid, bool children, Symbolizer& symbolizer, std::vector<Report>& out,
                  std::string& problem);

}  // namespace clockshim::cli
