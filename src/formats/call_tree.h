// The calls as a tree from the inside out: first the clock that was read (by thread, if threads are
// shown separately), then its callers, then their callers. Near the root the counts are exact.
// Further out are frames that were only seen once, or whose calls are shared by samples (marked).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "report/frames.h"
#include "report/report.h"

namespace clockshim {

struct CallNode {
  std::string name;
  std::string module;
  std::string place;  // of its busiest call: "server.c:190"; "" if unknown
  std::uint64_t calls = 0;
  bool heading = false;  // not a caller, but the root, a thread, or a clock
  bool sampled = false;  // `calls` are shared by samples
  bool first_seen =
      false;  // this caller was only seen once; not all of `calls` need have come through it
  std::vector<CallNode> callers;  // most calls first
};

// Builds the tree. The root stands for all reports together. Its children are clocks, as
// "clock_gettime(realtime)", or threads with their clocks.
CallNode call_tree(const std::vector<Report>& reports, const StackOptions& options);

}  // namespace clockshim
