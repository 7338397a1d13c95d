// `clockshim bench`: what each clock costs here, bare, as a system call and under the shim, as a
// table.
#pragma once

#include <string>

namespace clockshim::cli {

struct BenchOptions {
  bool quick = false;
  bool json = false;
  std::string plot;  // an SVG file to write; "" none
};

// 0; 1: a clock was seen to step backward, or the shim could not be measured; 2: an error.
int bench(const BenchOptions& options);

}  // namespace clockshim::cli
