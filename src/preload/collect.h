// From the process's own region to a Report with names. At exit: allocates, reads symbol files.
#pragma once

#include "report/report.h"

namespace clockshim {

// `filtered`: no file may be opened any more, and callers stay without names.
Report collect_report(bool filtered);

}  // namespace clockshim
