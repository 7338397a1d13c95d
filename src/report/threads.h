// The threads of a report: their order and their names.
#pragma once

#include <string>

#include "report/report.h"

namespace clockshim {

// Sums up the shares of each site, which may have several of one thread; drops threads without any;
// and sorts the rest. Call it once all sites are complete.
void settle_threads(Report& report);

// "worker/4711", "4711", "unknown" or "shared table", and the process's number if several processes
// were merged. One line, UTF-8.
std::string thread_id(const Report& report, const ReportThread& thread);

// "thread worker/4711", or "thread 4711 and 120 before it", or "shared table".
std::string thread_name(const Report& report, const ReportThread& thread);

}  // namespace clockshim
