// Watches processes for some time, for rates over time.
#pragma once

#include <string>
#include <vector>

#include "base/nanos.h"
#include "cli/report/rate_watch.h"

namespace clockshim::cli {

// Looks at all of them at even intervals for `length`. Ends early, with a last look, when all have
// ended, and on SIGINT, SIGTERM or SIGHUP; a second one of these has its usual effect. `progress`
// is shown on a terminal from the first look to the last.
void watch_rates(std::vector<RateWatch>& processes, Nanos length, Nanos interval,
                 const std::string& progress);

}  // namespace clockshim::cli
