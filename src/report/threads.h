// The threads of a report: their order, and what they are called.
#pragma once

#include <string>

#include "report/report.h"

namespace clockshim {

// Once the sites have their shares, a thread's maybe in several pieces: sums them up, leaves
// threads out that have none, and puts the others in their order.
void settle_threads(Report& report);

// "worker/4711", "4711", "unknown" or "shared table"; where several processes were merged, with the
// number of its own. One line, UTF-8.
std::string thread_id(const Report& report, const ReportThread& thread);

// "thread worker/4711", or "thread 4711 and 120 before it", or "shared table".
std::string thread_name(const Report& report, const ReportThread& thread);

}  // namespace clockshim
