// A process that we trace and that stands still, with one thread: reads and writes its memory, and
// has it make system calls and run functions on our behalf. Its registers and signal mask are put
// back by let_go().
#pragma once

#include <sys/types.h>
#include <sys/user.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <vector>

namespace clockshim::cli {

class Tracee {
 public:
  // `pid` must be stopped by ptrace(2) behind its exec.
  explicit Tracee(pid_t pid) : pid_(pid) {}

  // Notes its registers, holds signals back, and finds a system call instruction in `code`, which
  // is readable and stands at address `at` of the process. False: it can't be worked with.
  bool take(const std::vector<std::byte>& code, std::uint64_t at);

  bool read(std::uint64_t from, void* to, std::size_t size) const;
  // Memory that the process itself may write.
  bool write(std::uint64_t to, const void* from, std::size_t size) const;
  // Any memory. Where its pages are shared with other processes, this one gets copies of its own.
  bool poke(std::uint64_t to, const void* from, std::size_t size) const;

  // Has it make a system call. Returns the result, or a negative errno.
  long system_call(long number, std::initializer_list<std::uint64_t> arguments);
  // Has it call a function without arguments, which must end in a breakpoint (int3) of its own
  // caller. False: something else has stopped it, or it is gone.
  bool run(std::uint64_t entry);

  // Puts registers and signal mask back, and ends the tracing: the process runs on. Signals that
  // had come meanwhile are delivered then.
  void let_go();

 private:
  bool go_on(int request);

  pid_t pid_;
  user_regs_struct before_{};
  std::uint64_t mask_ = 0;
  std::uint64_t syscall_at_ = 0;
  bool taken_ = false;
  bool gone_ = false;
  bool stop_it_ = false;  // a SIGSTOP, which can't be held back, has come
};

}  // namespace clockshim::cli
