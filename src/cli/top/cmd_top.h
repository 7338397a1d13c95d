// `clockshim top`: who asks for the time now, and how often. On a terminal a screen that is kept up
// to date, else a table.
#pragma once

#include <string>

#include "base/nanos.h"

namespace clockshim::cli {

struct TopOptions {
  bool once = false;
  bool json = false;
  std::string interval = "1s";
  std::string target;  // a process id; "": all processes
  std::string dir;     // "": CLOCKSHIM_DIR, or the user's whose process it is
};

// The exit status: 0; 2: a bad option, or there is no such process.
int top(const TopOptions& options);

}  // namespace clockshim::cli
