// `clockshim diff`: shows what changed between two runs, by caller and clock.
#pragma once

#include <string>

namespace clockshim::cli {

struct DiffOptions {
  bool json = false;
  std::string before;  // paths: live files or JSON reports
  std::string after;
};

// Returns the exit status: 0; 2: a file can't be read.
int diff(const DiffOptions& options);

}  // namespace clockshim::cli
