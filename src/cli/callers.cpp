#include "cli/callers.h"

#include "report/frames.h"

namespace clockshim::cli {

Caller caller_key(const ReportSite& site) {
  const ReportFrame frame = caller_of(site);
  return {module_name(frame), function_name(frame), site.clock, site.function};
}

Calls calls_by_caller(const Report& report) {
  Calls calls;
  for (const ReportSite& site : report.sites) calls[caller_key(site)] += site.calls;
  return calls;
}

}  // namespace clockshim::cli
