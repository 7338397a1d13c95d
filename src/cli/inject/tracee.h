// A thread that we trace and that stands still: of a process behind its exec, which has no other,
// or one of a StoppedProcess. Reads and writes its memory, and has it make system calls and run
// functions on our behalf. Its registers and signal mask are put back afterwards.
#pragma once

#include <sys/types.h>
#include <sys/user.h>

#include <csignal>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <vector>

namespace clockshim::cli {

class Tracee {
 public:
  // Begins to trace a process, which will stop behind its next exec (PTRACE_EVENT_EXEC), whatever
  // it does with signals. False: errno says why not.
  static bool begin(pid_t pid);

  // What a process has stopped by that has begun or ended a system call (PTRACE_O_TRACESYSGOOD).
  static constexpr int kSystemCallStop = SIGTRAP | 0x80;

  // Waits until a traced process stops. False: it has ended, which remains to be waited for.
  static bool wait_for_stop(pid_t pid, int& status);

  // Lets a traced process that has stopped within a system call end that, and nothing else. False:
  // it was killed.
  static bool end_system_call(pid_t pid);

  // `pid` must stand still, in no system call: behind its exec, until let_go(), or `borrowed` from
  // a StoppedProcess, until give_back().
  explicit Tracee(pid_t pid, bool borrowed = false) : pid_(pid), borrowed_(borrowed) {}
  ~Tracee() { static_cast<void>(borrowed_ ? give_back() : let_go()); }
  Tracee(const Tracee&) = delete;
  Tracee& operator=(const Tracee&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }

  // Notes its registers, holds signals back, and finds a system call instruction in `code`, which
  // stands at address `at` of the process. False: it can't be worked with. From here on it is
  // killed if we are.
  bool take(const std::vector<std::byte>& code, std::uint64_t at, bool filters_suspended = false);

  bool read(std::uint64_t from, void* to, std::size_t size) const;
  // Memory that the process itself may write.
  bool write(std::uint64_t to, const void* from, std::size_t size) const;
  // A lot of any memory.
  bool write_code(std::uint64_t to, const void* from, std::size_t size) const;
  // Any memory, a few words. Where its pages are shared with other processes, this one gets copies
  // of its own.
  bool poke(std::uint64_t to, const void* from, std::size_t size) const;

  // When it has its registers back, it goes on where `place` says for where it stood. After take().
  // False: it says 0.
  bool move(const std::function<std::uint64_t(std::uint64_t)>& place);

  // Has it make a system call. Returns the result, or a negative errno.
  long system_call(long number, std::initializer_list<std::uint64_t> arguments);
  // Has it run the image's start (image/contract.h), on the stack that ends at `stack`. False: it
  // has faulted, or is gone.
  bool run(std::uint64_t entry, std::uint64_t stack);

  // Puts registers and signal mask back, and ends the tracing: the process runs on. Signals that
  // had come meanwhile are delivered then. False: it was killed.
  bool let_go();
  // Puts registers and signal mask back. It stands still again, and is still traced. False: it was
  // killed.
  bool give_back();

 private:
  bool go_on();
  bool put_back();
  [[nodiscard]] bool is_continued() const;

  pid_t pid_;
  bool borrowed_;
  user_regs_struct before_{};
  std::vector<std::byte> vectors_;  // the registers that are not in `before_`
  std::uint64_t mask_ = 0;
  std::uint64_t syscall_at_ = 0;
  bool held_ = false;
  bool taken_ = false;
  bool let_go_ = false;
  bool filters_suspended_ = false;
  bool stop_it_ = false;  // a SIGSTOP, which can't be held back, has come
};

}  // namespace clockshim::cli
