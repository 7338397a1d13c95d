// What a program's author could do, where the counts leave no doubt of what the program does.
#pragma once

#include <vector>

#include "report/report.h"

namespace clockshim {

// "pairs": a function that asks for REALTIME and MONOTONIC equally often: within 1 %, and at least
// kPairCalls each. "reuse": a caller that asks for a clock at least kReuse times, on average,
// between two resyncs of it (a few milliseconds). "timed_wait": a function asks for REALTIME at
// least kWaitCalls times, never for MONOTONIC, and itself calls a wait whose time-out is
//   a time of REALTIME (ReportSite::timed_wait, from the code of the module).
inline constexpr std::uint64_t kWaitCalls = 100;
inline constexpr std::uint64_t kPairCalls = 1000;
inline constexpr std::uint64_t kReuse = 1000;

// Of exact counts only. Most calls first; at most ten of a kind. Wants names: a function without
// one is never said to be a pair.
std::vector<ReportAdvice> advise(const Report& report);

}  // namespace clockshim
