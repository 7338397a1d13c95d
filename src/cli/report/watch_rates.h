// Watching for so long, with a view to rates over time.
#pragma once

#include <string>
#include <vector>

#include "base/nanos.h"
#include "cli/report/rate_watch.h"

namespace clockshim::cli {

// Looks at all of them at even distances for `length`. Ends early, with a last look, when all are
// over, and by SIGINT, SIGTERM or SIGHUP; a second one of these does what it would do anyway.
// `progress`: said on a terminal from the first look to the last.
void watch_rates(std::vector<RateWatch>& processes, Nanos length, Nanos interval,
                 const std::string& progress);

}  // namespace clockshim::cli
