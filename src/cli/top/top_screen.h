// The screen of `clockshim top`. The only file that includes ncurses is top_screen.cpp.
#pragma once

#include <functional>
#include <string>

#include "base/nanos.h"
#include "cli/top/watch.h"

namespace clockshim::cli {

struct ScreenOptions {
  std::function<Folders()> folders;  // where to look
  long pid = 0;  // the process whose callers are shown first; 0: the table of processes
  Nanos interval;
};

// Shows the screen until q is pressed. Then the terminal is as it was before. That is so even if a
// signal ends it, which is then raised again. Returns "", or why there is no screen.
std::string show_screen(Watch& watch, const ScreenOptions& options);

}  // namespace clockshim::cli
