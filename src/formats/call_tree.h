// The calls as a tree from the inside out: first what was asked (by each thread, where they are
// drawn apart), then who asked, then who called them. Nearest the root the counts are exact;
// further out stand frames that were seen once (marked), or sampled stacks.
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
  std::string place;  // of its busiest call: "server.c:190"; "" where none is known
  std::uint64_t calls = 0;
  bool heading = false;  // no caller: the root, a thread, or a question
  bool sampled = false;  // at least one part of calls is an estimate
  bool first_seen =
      false;  // this caller was seen once; that all of calls came through it is not known
  std::vector<CallNode> callers;  // most calls first
};

// The root stands for all reports together; its children are questions, as
// "clock_gettime(realtime)", or threads with their questions.
CallNode call_tree(const std::vector<Report>& reports, const StackOptions& options);

}  // namespace clockshim
