// What serving calls has saved: CPU time, from what a call costs by the real clock and from the
// timeline, both measured in the process itself; and in words how that is known. Pure functions.
#pragma once

#include <cstdint>
#include <string>

#include "report/report.h"

namespace clockshim {

// Whether the clock has served calls, and it is known what they cost.
bool has_costs(const ReportClock& clock);
// Whether serving is cheaper than the real clock by more than two measurements of the same thing
// may differ. It is not where the vDSO reads the clock.
bool is_worth_it(double real_ns, double served_ns);

// By a clock whose costs are known, in nanoseconds: each served call the difference of the two
// costs, less a real call for each resync. Zero where it is not worth it. Never negative.
std::int64_t saved_ns_of(const ReportClock& clock);

// By all clocks, in nanoseconds; and as a share of one core, from the process's start on.
std::int64_t saved_ns(const Report& report);
double saved_share(const Report& report);
// Beside one site: its clock's savings, by its share of that clock's calls.
std::int64_t saved_ns(const Report& report, const ReportSite& site);

// How the figure is known, or why there is none: the words behind "CPU saved: ".
std::string saved_how(const Report& report);
// The line of the report's head, without a line feed.
std::string saved_line(const Report& report);

// A length of time in three digits and a unit: "25.1 ns", "2.04 us", "12.3 s". `ns` >= 0.
std::string short_time(double ns);

}  // namespace clockshim
