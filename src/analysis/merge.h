// Several reports as one: of a program's processes, or of a fleet.
#pragma once

#include <vector>

#include "report/report.h"

namespace clockshim {

// Sums. Callers are the same where clock, function and exact frames are: a frame is its module (by
// build-id, else by path) and offset; generated code its symbol. What has no sum: `seconds` is the
// span of all where their starts are known, else the longest; words that differ become "mixed";
// percentiles come from the histograms, or are the largest, with a note. Merge names first, frames
// without a module stay apart by process. Of one report: itself.
Report merge(const std::vector<Report>& reports);

}  // namespace clockshim
