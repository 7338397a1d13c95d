// `clockshim report`: who asks for the time, of a process or out of files, in the formats of
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
  bool exact = false;                // nothing sampled, and no frames as first seen
  bool children = false;             // of the processes, too
  bool threads = false;              // each thread apart
  std::string watch;                 // for so long, to tell rates over time; "": not
  std::string interval;              // between two looks; "": as fits
  std::vector<std::string> targets;  // process ids and files
};

// 0; 2: an error, said in one line.
int report(const ReportOptions& options);

}  // namespace clockshim::cli
