// `clockshim top`: shows who reads clocks now, and how often. On a terminal it is a screen that is
// updated, else a table.
#pragma once

#include <string>

#include "base/nanos.h"

namespace clockshim::cli {

struct TopOptions {
  bool once = false;
  bool json = false;
  std::string interval = "1s";
  std::string target;  // a process id; "": all processes
  std::string dir;     // "": CLOCKSHIM_DIR, or the folder of the process's user
};

// Returns the exit status: 0; 2: a bad option, or there is no such process.
int top(const TopOptions& options);

}  // namespace clockshim::cli
