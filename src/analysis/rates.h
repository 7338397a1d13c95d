// Rates over time, as text and as a picture; and those of several reports as one.
#pragma once

#include <string>
#include <vector>

#include "report/report.h"

namespace clockshim {

// A line a clock: calls a second, on average, and the least and the most of an interval. "": nobody
// looked.
std::string rates_as_text(const ReportRates& rates);

// Charts for a page: calls a second by clock, and by caller. "": nobody looked.
std::string rate_charts(const ReportRates& rates);
extern const char* const kRateStyle;

std::uint64_t total(const ReportRates::Series& series);
void sort_by_calls(std::vector<ReportRates::Series>& all);  // most first

// Of processes that were looked at in the same moments, the sums. False: they were not, and have no
// rates in common.
bool merge_rates(const std::vector<Report>& reports, ReportRates& out);

}  // namespace clockshim
