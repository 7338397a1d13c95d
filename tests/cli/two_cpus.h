// Whether CPUs 0 and 1 are there, and ours to use.
#pragma once

#include <vector>

#include "cli/machine/cpu_set.h"

namespace clockshim::test {

inline bool two_cpus() {
  const std::vector<int> cpus = cli::allowed_cpus();
  return cpus.size() >= 2 && cpus[0] == 0 && cpus[1] == 1;
}

}  // namespace clockshim::test
