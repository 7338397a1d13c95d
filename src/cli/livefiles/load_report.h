// Loads reports with names, from live files, JSON reports and processes.
#pragma once

#include <string>
#include <vector>

#include "report/report.h"
#include "symbolize/symbolize.h"

namespace clockshim::cli {

// Loads a live file or a JSON report from a path ("-": standard input). False: `problem` is a line
// that names it and says what is wrong.
bool load_file(const std::string& path, Symbolizer& symbolizer, Report& out, std::string& problem);

// Loads a live file. False: `problem` says why, in words that follow the path; "" if there is
// nothing to report.
bool load_live(const std::string& path, Symbolizer& symbolizer, Report& out, std::string& problem);

// Loads a process's newest live file. With `children`, also those of the processes that it forked,
// and of all that the same `clockshim run` started; its own comes first.
bool load_process(long pid, bool children, Symbolizer& symbolizer, std::vector<Report>& out,
                  std::string& problem);

}  // namespace clockshim::cli
