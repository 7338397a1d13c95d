// `clockshim list`: lists the processes that have a live file.
#pragma once

#include <string>

namespace clockshim::cli {

struct ListOptions {
  bool json = false;
  std::string dir;  // "": CLOCKSHIM_DIR, or the folder of our own user
};

// Returns the exit status: 0, even if there are none.
int list(const ListOptions& options);

}  // namespace clockshim::cli
