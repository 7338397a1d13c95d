// What a disturbance does to the machine's clocks and counters.
#pragma once

#include <vector>

#include "machine.h"
#include "plan.h"

namespace sim {

// At d.at. Returns how long the machine sleeps from then on; what that does to its threads is the
// caller's business.
Ps disturb(const Disturbance& d, Kernel& kernel, std::vector<Curve>& counters);

}  // namespace sim
