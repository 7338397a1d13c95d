// `clockshim gc`: removes the live files of processes that are gone, and nothing else.
#pragma once

#include <string>

namespace clockshim::cli {

struct GcOptions {
  bool dry_run = false;
  std::string dir;  // "": CLOCKSHIM_DIR, or the folder of our own user
};

// Returns the exit status: 0, or 1 if a file of a process that is gone could not be removed.
int gc(const GcOptions& options);

}  // namespace clockshim::cli
