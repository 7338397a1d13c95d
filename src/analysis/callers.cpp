#include "analysis/callers.h"

#include "report/frames.h"

namespace clockshim {

Caller caller_key(const ReportSite& site) {
  ReportFrame frame = caller_of(site);
  frame.line = 0;  // an interpreted function's name includes the place, and lines change from one
                   // run to the next
  return {module_name(frame), function_name(frame), site.clock, site.function};
}

Calls calls_by_caller(const Report& report) {
  Calls calls;
  for (const ReportSite& site : report.sites) calls[caller_key(site)] += site.calls;
  return calls;
}

}  // namespace clockshim
