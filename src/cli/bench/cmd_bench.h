// `clockshim bench`: a table of what each clock costs here, bare, as a system call and under the
// shim.
#pragma once

#include <string>

namespace clockshim::cli {

struct BenchOptions {
  bool quick = false;
  bool json = false;
  std::string plot;  // an SVG file to write; "": none
};

// Returns 0; 1: a clock stepped backward, or the shim could not be measured; 2: an error.
int bench(const BenchOptions& options);

}  // namespace clockshim::cli
