// `clockshim gc`: removes the live files of processes that are gone, and nothing else.
#pragma once

#include <string>

namespace clockshim::cli {

struct GcOptions {
  bool dry_run = false;
  std::string dir;  // "": CLOCKSHIM_DIR, or our own user's
};

// The exit status: 0; 1: a file of a process that is gone could not be removed.
int gc(const GcOptions& options);

}  // namespace clockshim::cli
