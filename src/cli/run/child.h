// The command as a child process: starts it, passes signals on to it, stops when it stops, and ends
// as it ended. It is single-threaded: signals are blocked and taken one by one (sigtimedwait), so
// that no handler runs and none is lost.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <csignal>
#include <functional>
#include <string>
#include <vector>

#include "cli/inject/load_check.h"
#include "cli/inject/preload_environment.h"
#include "cli/inject/program_entry.h"
#include "cli/inject/setting_options.h"

namespace clockshim::cli {

class Child {
 public:
  // Blocks the signals that will be passed on. From here to supervise() they wait.
  Child();

  // Starts the command as execvp(3) would, with its pid in CLOCKSHIM_RUN_PID. Returns 0, or the
  // errno of what failed; then there is no child. Closes our own standard input and output and all
  // descriptors above 2, so that a pipe of the command ends when the command closes it.
  //
  // With `standing` the command is traced until that is called, while it stands still where it is
  // to; that must let it go. It is called by this function behind an exec, and by supervise() where
  // the program begins; if the command dies before, so does the program. Where it can't be traced
  // so far, or does not come there for ten seconds, that is called with the reason and a command
  // that runs; else with "".
  using Standing = std::function<void(pid_t, const std::string& why_not)>;
  struct Place {
    int execs = 1;          // behind so many of them,
    bool at_entry = false;  // and then where the program begins, behind its loader
  };
  int start(const std::vector<std::string>& argv, Environment environment,
            const Standing& standing = {}, const Place& place = {1, false});

  // Passes signals on until the command has ended. Returns its status as of waitpid(2).
  int supervise(LoadCheck& load_check);

  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  [[noreturn]] void become(const std::vector<std::string>& argv, Environment& environment,
                           int report_to, int traced_from) const;
  static int make_pipe(int (&ends)[2]);
  bool trace_to_exec(int execs, int go, int& untraced) const;
  bool mark_entry();
  void on_stop(int status);
  void let_go(const std::string& why_not);
  void wait_for_entry();
  void go_on_from(int status) const;
  bool ended(int& status);
  void pass_on(const siginfo_t& info) const;
  void stop_too(int signal) const;

  pid_t pid_ = -1;
  Standing standing_{};  // while the program is on its way to its entry
  ProgramEntry entry_;
  std::chrono::steady_clock::time_point due_{};  // then it is no longer waited for
  bool overdue_ = false;
  sigset_t taken_{};
  sigset_t mask_before_{};
  struct sigaction child_before_ {};
};

// Returns the exit status, or dies by the same signal, without a core dump of our own.
int end_like(int status);

}  // namespace clockshim::cli
