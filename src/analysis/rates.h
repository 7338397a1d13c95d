// Rates over time, as text and as a picture, and merging those of several reports.
#pragma once

#include <string>
#include <vector>

#include "report/report.h"

namespace clockshim {

// One line for each clock, and for each of the busiest callers: the average calls a second, and the
// minimum and maximum of an interval. Names are cut to fit into `width`; 0: they stay whole. "": it
// was not watched.
std::string rates_as_text(const ReportRates& rates, std::size_t width);

// Charts for a page: calls a second by clock, and by caller. "": it was not watched.
std::string rate_charts(const ReportRates& rates);

std::uint64_t total(const ReportRates::Series& series);
void sort_by_calls(std::vector<ReportRates::Series>& all);  // most first

// Adds up the rates of processes that were watched at the same moments. False: they were not, and
// can't be added.
bool merge_rates(const std::vector<Report>& reports, ReportRates& out);

}  // namespace clockshim
