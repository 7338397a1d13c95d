// A process that runs, with all its threads held still for a moment, as a debugger does. They see
// nothing of it but the time, and that a system call that they waited in may end early (EINTR),
// where the kernel does not begin it again (signal(7)).
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace clockshim::cli {

class StoppedProcess {
 public:
  explicit StoppedProcess(pid_t pid) : pid_(pid) {}
  ~StoppedProcess() { release(); }
  StoppedProcess(const StoppedProcess&) = delete;
  StoppedProcess& operator=(const StoppedProcess&) = delete;

  enum class Outcome { stopped, not_now, refused };
  // Stops all its threads. not_now: one of them did not stop in time, as it is where the kernel
  // can't be interrupted (a parent in vfork, a disk that is waited for). refused: it can't be
  // traced. Then, and with not_now, `problem` says why, and all go on once this object and this
  // process are gone.
  Outcome stop(std::chrono::milliseconds patience, bool suspend_filters, std::string& problem);

  [[nodiscard]] std::vector<std::uint64_t> stack_pointers() const;
  // A thread that can be made to do something else meanwhile, the first one if possible: it runs
  // code of the process's, holds no signal, and is in no restartable sequence. 0: there is none
  // now.
  [[nodiscard]] pid_t borrowable() const;

  // Lets each thread but the `borrowed` one go on where `place` says for where it stands. False: it
  // says 0 for one of them.
  bool move(const std::function<std::uint64_t(std::uint64_t)>& place, pid_t borrowed) const;

  // Lets all go on, with the signals that they have got meanwhile.
  void release();

  // For how long threads have stood still: from the first that was asked to, up to the last that
  // was let go (or to now).
  [[nodiscard]] std::chrono::nanoseconds stopped_for() const;

 private:
  struct Thread {
    bool stopped = false;
    bool gone = false;
    int signal = 0;  // to be delivered when it goes on
  };
  bool seize_new(long options, std::string& problem);
  void take_stop(pid_t thread, int status);

  pid_t pid_;
  std::map<pid_t, Thread> threads_;
  std::chrono::steady_clock::time_point since_{};
  std::chrono::steady_clock::time_point until_{};
};

}  // namespace clockshim::cli
