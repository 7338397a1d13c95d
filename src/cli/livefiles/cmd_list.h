// `clockshim list`: who has a live file here.
#pragma once

#include <string>

namespace clockshim::cli {

struct ListOptions {
  bool json = false;
  std::string dir;  // "": CLOCKSHIM_DIR, or our own user's
};

// The exit status: 0, also where there is none.
int list(const ListOptions& options);

}  // namespace clockshim::cli
