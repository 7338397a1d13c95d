// The counts of a live file: of all tables together, by key.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "base/clock_id.h"
#include "live/layout.h"
#include "report/live_sections.h"

namespace clockshim {

struct LiveCounts {
  LiveCounts(const LiveRecords<live::SharedCounts>& shared, const LiveRecords<live::ThreadTable>& tables);

  std::vector<std::pair<std::uint64_t, std::uint64_t>> counts;  // key and calls; by key, each once
  std::uint64_t calls[kClockIds] = {};
  std::uint64_t real[kClockIds] = {};  // calls that the real function answered
};

}  // namespace clockshim
