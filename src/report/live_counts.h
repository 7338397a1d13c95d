// The counts of all tables of a live file, by key.
#pragma once

#include <cstdint>
#include <vector>

#include "base/clock_id.h"
#include "live/layout.h"
#include "report/live_sections.h"
#include "report/report.h"

namespace clockshim {

struct LiveCounts {
  LiveCounts(const LiveRecords<live::SharedCounts>& shared,
             const LiveRecords<live::ThreadTable>& tables);

  struct Count {
    std::uint64_t key;
    std::size_t thread;
    std::uint64_t calls;
  };
  std::vector<Count> counts;          // sorted, so that those of one key are adjacent
  std::vector<ReportThread> threads;  // the shared table is the first
  std::uint64_t calls[kClockIds] = {};
  std::uint64_t real[kClockIds] = {};  // calls that the real function answered
};

}  // namespace clockshim
