// Sampled stacks beside exact counts. Every call is counted under its caller, so samples never say
// how many calls a caller made, only how its exact count is split by what is behind it.
#pragma once

#include <vector>

#include "report/report.h"

namespace clockshim {

// The sites of a report, each split by its sampled stacks: as many calls as its stacks have of its
// samples, with their frames, and exact_frames as the site has. Each call is in one of them, so
// sums are those of the sites. Busiest first. A site without samples stands with its exact frames
// alone. Stacks whose caller is no site any more (its module was unloaded) are left out; where the
// table of sites was full, they are behind the site that stands for the other callers.
std::vector<ReportSite> split_by_stacks(const Report& report);

// Makes the counts of a report's stacks agree with those of its sites: the stacks of a caller add
// up to its calls. Does nothing to stacks that agree already.
void fit_stacks(Report& report);

}  // namespace clockshim
