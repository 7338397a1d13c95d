// From the counters to a Report. At exit: allocates, reads symbol files.
#pragma once

#include "preload/state.h"
#include "report/report.h"

namespace clockshim {

Report collect_report(const ProcessState& state);

}  // namespace clockshim
