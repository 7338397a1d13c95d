// How counters move against each other that no constants explain: steadily, or not.
#pragma once

#include <string>

#include "cli/machine/counter_passes.h"

namespace clockshim::cli {

struct CounterMovement {
  bool drifts = false;  // else they jump
  double ppm = 0;       // of the pair that drifts most: what the second counter gains on the first
  std::string text{};   // for people
};

// They drift if for each pair there is a line through all that was seen of it. Of a slow drift the
// whole passes tell most; a fast one shows within them. There is at least one pass.
CounterMovement movement_of(const Passes& passes);

}  // namespace clockshim::cli
