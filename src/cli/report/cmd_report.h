// `clockshim report`: shows the callers of clocks, of processes or from files, in the formats of
// formats/formats.h.
#pragma once

#include <string>
#include <vector>

namespace clockshim::cli {

struct ReportOptions {
  std::string format = "table";
  std::string output;  // a file; "": standard output
  bool merge = false;
  bool apart = false;
  bool exact = false;     // no samples, and no frames that were only seen at the first call
  bool children = false;  // include the processes' children
  bool threads = false;   // show each thread separately
  std::string watch;      // how long to watch for rates over time; "": not at all
  std::string interval;   // between two looks; "": chosen automatically
  std::vector<std::string> targets;  // process ids and files
};

// Returns 0; 2: an error, which was logged in one line.
int report(const ReportOptions& options);

}  // namespace clockshim::cli
