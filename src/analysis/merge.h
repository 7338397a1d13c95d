// Merges several reports: of a program's processes, or of a fleet.
#pragma once

#include <vector>

#include "report/report.h"

namespace clockshim {

// Adds up all counts. Callers are the same if clock, function and exact frames are the same. Frames
// are the same if module (by build-id, else by path) and offset are; in generated code, if the
// symbol is. Other fields: `seconds` is the span of all if their starts are known, else the
// longest; texts that differ become "mixed"; percentiles come from the histograms, or are the
// largest, with a note. Name the reports before merging: frames without a module remain separate
// for each process. A single report is returned as it is.
Report merge(const std::vector<Report>& reports);

}  // namespace clockshim
