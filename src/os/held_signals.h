// Holds back signals: this thread gets them later, or never if our own call raised them.
#pragma once

#include <csignal>
#include <cstdint>

#include "os/raw_syscall.h"

namespace clockshim {

constexpr std::uint64_t signal_bit(int signal) { return std::uint64_t{1} << (signal - 1); }

class HeldSignals {
 public:
  // The signals that our own write may raise. Each of them ends a host that does not expect it: a
  // pipe has no reader, a file has reached RLIMIT_FSIZE, the process is in the background of its
  // terminal.
  static constexpr std::uint64_t kOfWriting =
      signal_bit(SIGPIPE) | signal_bit(SIGXFSZ) | signal_bit(SIGTTOU);

  // All signals that may wait. Faults may not; nor may the C library's own signal for setuid()
  // (33), which another thread waits for.
  static constexpr std::uint64_t kAll =
      ~(signal_bit(SIGSEGV) | signal_bit(SIGBUS) | signal_bit(SIGILL) | signal_bit(SIGFPE) |
        signal_bit(SIGTRAP) | signal_bit(SIGSYS) | signal_bit(SIGABRT) | signal_bit(33));

  explicit HeldSignals(std::uint64_t signals) noexcept {
    raw_syscall(SYS_rt_sigprocmask, SIG_BLOCK, address(&signals), address(&before_),
                sizeof before_);
    raw_syscall(SYS_rt_sigpending, address(&pending_), sizeof pending_);
  }

  ~HeldSignals() {
    std::uint64_t now = 0;
    raw_syscall(SYS_rt_sigpending, address(&now), sizeof now);
    const std::uint64_t ours = now & ~pending_ & (signal_bit(SIGPIPE) | signal_bit(SIGXFSZ));
    if (ours != 0) {
      const struct { long seconds, nanos; } at_once{};
      while (raw_syscall(SYS_rt_sigtimedwait, address(&ours), 0, address(&at_once), sizeof ours) >
             0) {
      }
    }
    raw_syscall(SYS_rt_sigprocmask, SIG_SETMASK, address(&before_), 0, sizeof before_);
  }

  HeldSignals(const HeldSignals&) = delete;
  HeldSignals& operator=(const HeldSignals&) = delete;

 private:
  static long address(const void* p) { return reinterpret_cast<long>(p); }

  std::uint64_t before_ = 0;
  std::uint64_t pending_ = 0;
};

}  // namespace clockshim
