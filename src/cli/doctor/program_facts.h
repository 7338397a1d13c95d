// `clockshim doctor COMMAND|PID`: whether the shim can be loaded there, and which of the program's
// clock calls it would not see.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/nanos.h"

namespace clockshim::cli {

struct ProgramFacts {
  std::string target;                  // as given
  std::string path;                    // its file; "" if unknown
  std::optional<pid_t> pid;            // if it runs already
  bool loaded = false;                 // the shim is loaded in it
  bool by_image = false;               // it takes no preload, but `clockshim run` has the image
  std::vector<std::string> obstacles;  // why the shim can't get in; empty: it can
  std::vector<std::string> notes;      // what the shim will not cover, and what else to know
  std::vector<std::string> unseen;
  std::optional<double> calls_a_second;  // how often the process reads the clock
  std::optional<double> saved_share;     // of a core, now, by the shim in it: then the calls above
                                         // are by its live file. Else by the kernel, which sees
                                         // system calls only
  [[nodiscard]] bool takes() const { return obstacles.empty(); }
};

// Examines a process if `target` is a number, else a command as execvp(3) finds it. `problem` is
// "", or one line: no such command, no such process.
ProgramFacts inspect_program(const std::string& target, std::string& problem);

// Counts a process's clock_gettime and gettimeofday system calls for `length`, by the kernel's
// tracepoints (perf_event_open(2)). None if that is not allowed or not available; `why_not` says
// which, and what would be needed.
std::optional<double> count_clock_calls(pid_t pid, Nanos length, std::string& why_not);

}  // namespace clockshim::cli
