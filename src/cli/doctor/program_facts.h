// `clockshim doctor COMMAND|PID`: will the shim take there, and what of the program's clock calls
// will it not see.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/nanos.h"

namespace clockshim::cli {

struct ProgramFacts {
  std::string target;                  // as it was given
  std::string path;                    // its file; "" unknown
  std::optional<pid_t> pid;            // where it runs already
  bool loaded = false;                 // the shim is in it
  std::vector<std::string> obstacles;  // why the shim will not take; empty: it will
  std::vector<std::string> notes;      // what it will not cover, and what else to know
  std::vector<std::string> unseen;
  std::optional<double>
      calls_a_second;  // clock calls of the process by system call, counted by the kernel
  [[nodiscard]] bool takes() const { return obstacles.empty(); }
};

// A process id where `target` is a number, else a command as execvp(3) finds it. "" in `problem`,
// or one line: no such command, no such process.
ProgramFacts inspect_program(const std::string& target, std::string& problem);

// Counts a process's clock_gettime and gettimeofday system calls for a while, by the kernel's
// tracepoints (perf_event_open(2)). None, and why, where that isn't allowed or isn't there.
std::optional<double> count_clock_calls(pid_t pid, Nanos length, std::string& why_not);

}  // namespace clockshim::cli
