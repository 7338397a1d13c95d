// Runs one schedule: the machine, its threads, and the timeline that they read.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "checker.h"
#include "plan.h"

namespace sim {

struct Outcome {
  std::string failure;  // "" where all promises were kept
  std::uint64_t reads = 0;
  std::uint64_t served = 0;  // from a segment
  std::uint64_t resyncs = 0;
  std::int64_t worst_error = 0;  // before the first disturbance
  bool promoted = false;
  bool demoted = false;
  std::vector<Detection> detections;
  Backward back;
  Ps parted_after = 0;  // one CPU's counter had jumped
};

// verbose: tells on standard output what happens.
Outcome run(const Plan& plan, bool verbose);

}  // namespace sim
