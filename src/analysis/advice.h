// Advice for a program's author, where the counts leave no doubt of what the program does.
#pragma once

#include <vector>

#include "report/report.h"

namespace clockshim {

// There are three kinds of advice. "pairs": a function reads REALTIME and MONOTONIC equally often,
// within 1 %, and at least kPairCalls times each. "reuse": a caller reads a clock at least kReuse
// times, on average, between two resyncs of it (a few milliseconds). "timed_wait": a function reads
// REALTIME at least kWaitCalls times, never MONOTONIC, and itself calls a wait whose time-out is a
// REALTIME time (ReportSite::timed_wait, from the code of the module).
inline constexpr std::uint64_t kWaitCalls = 100;
inline constexpr std::uint64_t kPairCalls = 1000;
inline constexpr std::uint64_t kReuse = 1000;

// Uses exact counts only. Callers that need the same advice (of the same clock, or the same wait)
// share it. What saves most comes first: CPU time if it is known of all that saves calls, else
// calls. The report should have names: a function without one is never reported as a pair.
std::vector<ReportAdvice> advise(const Report& report);

}  // namespace clockshim
