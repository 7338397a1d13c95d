// The screen of `clockshim top`. The only file that includes ncurses is top_screen.cpp.
#pragma once

#include <string>

#include "base/nanos.h"
#include "cli/top/watch.h"

namespace clockshim::cli {

struct ScreenOptions {
  Folders folders;
  long pid = 0;  // whose callers are shown first; 0: the table of processes
  Nanos interval;
};

// Until q is pressed. The terminal is then as it was before, also when a signal ends it, which is
// then taken for good.
// "", or why there is no screen.
std::string show_screen(Watch& watch, const ScreenOptions& options);

}  // namespace clockshim::cli
