// What else would help here, without clockshim, and at what risk. A pure function of the facts and
// the findings. Sources: docs/slow-clocks.md.
#pragma once

#include <string>
#include <vector>

#include "cli/doctor/verdict.h"

namespace clockshim::cli {

struct Remedy {
  std::string what;
  std::string how;   // a command, a setting
  std::string risk;  // the risk, and what the remedy does not do
};

// Returns the remedies; none if nothing is wrong.
std::vector<Remedy> remedies(const Evidence& seen, const Diagnosis& diagnosis);

}  // namespace clockshim::cli
