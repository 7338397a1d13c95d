// What start decides and the report at exit needs.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/nanos.h"
#include "os/settings.h"

namespace clockshim {

struct ProcessState {
  Settings settings;
  std::string program;
  std::string executable;  // path
  pid_t pid = 0;           // the process that ran the constructor; a forked child has another
  Nanos started;           // CLOCK_MONOTONIC
  long started_at = 0;     // seconds since 1970, for %t
  std::string clocksource;
  std::string mode;
  std::string mode_reason;
  std::vector<std::string> notes;
  bool active = false;  // false: the program is skipped; nothing is served, counted or reported
};

}  // namespace clockshim
