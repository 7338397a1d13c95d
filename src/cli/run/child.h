// The command as a child process: start it, pass signals on to it, stop when it stops, end as it
// ended. Single-threaded: signals are blocked and taken one by one (sigtimedwait), so that no
// handler runs and none is lost.
#pragma once

#include <sys/types.h>

#include <csignal>
#include <string>
#include <vector>

#include "cli/inject/load_check.h"
#include "cli/inject/preload_environment.h"
#include "cli/run/run_settings.h"

namespace clockshim::cli {

class Child {
 public:
  // Blocks what will be passed on. From here to supervise() a signal waits.
  Child();

  // Starts the command as execvp(3) would. CLOCKSHIM_RUN_PID becomes its process id. 0, or the
  // errno of what failed; then there is no child. Our own standard input and output and all
  // descriptors above 2 are let go of: a pipe of the command ends when the command lets go of it.
  int start(const std::vector<std::string>& argv, Environment environment);

  // Passes signals on until the command has ended. Its status as of waitpid(2).
  int supervise(LoadCheck& arrival);

  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  [[noreturn]] void become(const std::vector<std::string>& argv, Environment& environment,
                           int report_to) const;
  bool ended(int& status) const;
  void pass_on(const siginfo_t& info) const;
  void stop_too(int signal) const;

  pid_t pid_ = -1;
  sigset_t taken_{};
  sigset_t mask_before_{};
  struct sigaction child_before_ {};
};

// The exit status, or death by the same signal, without a core of our own.
int end_like(int status);

}  // namespace clockshim::cli
