// What else would help here, without clockshim, and at what risk. Pure: from the facts and the
// findings. Sources: docs/slow-clocks.md.
#pragma once

#include <string>
#include <vector>

#include "cli/doctor/verdict.h"

namespace clockshim::cli {

struct Remedy {
  std::string what;
  std::string how;   // a command, a setting
  std::string risk;  // and what it does not do
};

// Empty where nothing is wrong.
std::vector<Remedy> remedies(const Evidence& seen, const Diagnosis& diagnosis);

}  // namespace clockshim::cli
