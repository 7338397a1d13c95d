#include "cli/callers.h"

#include "report/frames.h"

namespace clockshim::cli {

Calls calls_by_caller(const Report& report) {
  Calls calls;
  for (const ReportSite& site : report.sites) {
    ReportFrame frame = caller_of(site);
    frame.line = 0;  // of an interpreted function, the place is in its name, and lines change from one run to the next
    calls[{module_name(frame), function_name(frame), site.clock, site.function}] += site.calls;
  }
  return calls;
}

}  // namespace clockshim::cli
