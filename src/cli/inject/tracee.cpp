#include "cli/inject/tracee.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <string_view>

#include "image/contract.h"
#include "os/descriptor.h"

namespace clockshim::cli {
namespace {

constexpr std::array<std::byte, 2> kSyscall{std::byte{0x0f}, std::byte{0x05}};
constexpr std::uint64_t kStackAlignment = 16;
constexpr std::uint64_t kAllSignals = ~std::uint64_t{0};
// What the kernel keeps of vector registers and such: 11 KiB where a CPU has all that is known.
constexpr std::size_t kMostVectorState = 32U << 10;

constexpr int kTraceAlways = PTRACE_O_TRACESYSGOOD;
#ifndef PTRACE_O_SUSPEND_SECCOMP
constexpr int PTRACE_O_SUSPEND_SECCOMP = 1 << 21;
#endif

void* as_pointer(std::uint64_t address) { return reinterpret_cast<void*>(address); }

}  // namespace

bool Tracee::begin(pid_t pid) {
  return ptrace(PTRACE_SEIZE, pid, nullptr, PTRACE_O_TRACEEXEC | PTRACE_O_TRACESYSGOOD) == 0;
}

// Only the stop is taken: of a process that is killed meanwhile, the end remains to be waited for.
bool Tracee::wait_for_stop(pid_t pid, int& status) {
  for (;;) {
    siginfo_t info{};
    if (waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WSTOPPED | WNOWAIT | __WALL) != 0) {
      if (errno != EINTR) return false;
      continue;
    }
    if (info.si_code != CLD_TRAPPED && info.si_code != CLD_STOPPED) return false;
    info = {};
    constexpr int kStop = 0x7f;  // of a status as wait(2) has it
    if (waitid(P_PID, static_cast<id_t>(pid), &info, WSTOPPED | WNOHANG | __WALL) == 0 &&
        info.si_pid == pid) {
      status = info.si_status << 8 | kStop;
      return true;
    }
  }
}

bool Tracee::end_system_call(pid_t pid) {
  int status = 0;
  return ptrace(PTRACE_SYSCALL, pid, nullptr, nullptr) == 0 && wait_for_stop(pid, status) &&
         WSTOPSIG(status) == kSystemCallStop;
}

bool Tracee::take(const std::vector<std::byte>& code, std::uint64_t at, bool filters_suspended) {
  const auto found = std::search(code.begin(), code.end(), kSyscall.begin(), kSyscall.end());
  if (found == code.end()) return false;
  syscall_at_ = at + static_cast<std::uint64_t>(found - code.begin());
  // From here on it must not run on without us, if we are killed.
  filters_suspended_ = filters_suspended;
  const int options = kTraceAlways | (borrowed_ ? 0 : PTRACE_O_TRACEEXEC) |
                      (filters_suspended_ ? PTRACE_O_SUSPEND_SECCOMP : 0);
  if (ptrace(PTRACE_SETOPTIONS, pid_, nullptr, options | PTRACE_O_EXITKILL) != 0 ||
      ptrace(PTRACE_GETSIGMASK, pid_, sizeof mask_, &mask_) != 0 ||
      ptrace(PTRACE_SETSIGMASK, pid_, sizeof kAllSignals, &kAllSignals) != 0)
    return false;
  held_ = true;
  if (ptrace(PTRACE_GETREGS, pid_, nullptr, &before_) != 0) return false;
  vectors_.resize(kMostVectorState);
  iovec vectors{vectors_.data(), vectors_.size()};
  const bool got = ptrace(PTRACE_GETREGSET, pid_, NT_X86_XSTATE, &vectors) == 0;
  vectors_.resize(got ? vectors.iov_len : 0);
  taken_ = true;
  return true;
}

bool Tracee::read(std::uint64_t from, void* to, std::size_t size) const {
  const iovec own{to, size};
  const iovec theirs{as_pointer(from), size};
  return process_vm_readv(pid_, &own, 1, &theirs, 1, 0) == static_cast<ssize_t>(size);
}

bool Tracee::write(std::uint64_t to, const void* from, std::size_t size) const {
  const iovec own{const_cast<void*>(from), size};
  const iovec theirs{as_pointer(to), size};
  return process_vm_writev(pid_, &own, 1, &theirs, 1, 0) == static_cast<ssize_t>(size);
}

bool Tracee::write_code(std::uint64_t to, const void* from, std::size_t size) const {
  const Descriptor memory(
      open(("/proc/" + std::to_string(pid_) + "/mem").c_str(), O_WRONLY | O_CLOEXEC));
  if (memory.get() >= 0 &&
      pwrite(memory.get(), from, size, static_cast<off_t>(to)) == static_cast<ssize_t>(size))
    return true;
  return poke(to, from, size);
}

bool Tracee::poke(std::uint64_t to, const void* from, std::size_t size) const {
  const auto* bytes = static_cast<const std::byte*>(from);
  for (std::size_t done = 0; done < size; done += sizeof(long)) {
    errno = 0;
    long word = ptrace(PTRACE_PEEKDATA, pid_, to + done, nullptr);
    if (errno != 0) return false;
    std::memcpy(&word, bytes + done, std::min(sizeof word, size - done));
    if (ptrace(PTRACE_POKEDATA, pid_, to + done, word) != 0) return false;
  }
  return true;
}

// Lets it run until it begins or ends a system call. That is no signal: a signal that is forced on
// a process (of a breakpoint, or a single step) would unblock SIGTRAP and no longer ignore it.
bool Tracee::go_on() {
  int status = 0;
  while (ptrace(PTRACE_SYSCALL, pid_, nullptr, nullptr) == 0 && wait_for_stop(pid_, status)) {
    if (WSTOPSIG(status) == kSystemCallStop) return true;
    // SIGCONT has come, or a stop that was on the way.
    if (status >> 16 == PTRACE_EVENT_STOP) continue;
    if (WSTOPSIG(status) != SIGSTOP) return false;  // it has faulted
    stop_it_ = true;
  }
  return false;
}

bool Tracee::move(const std::function<std::uint64_t(std::uint64_t)>& place) {
  const std::uint64_t to = place(before_.rip);
  if (to != 0) before_.rip = to;
  return to != 0;
}

long Tracee::system_call(long number, std::initializer_list<std::uint64_t> arguments) {
  user_regs_struct registers = before_;
  unsigned long long* const places[] = {&registers.rdi, &registers.rsi, &registers.rdx,
                                        &registers.r10, &registers.r8,  &registers.r9};
  auto* place = std::begin(places);
  for (const std::uint64_t argument : arguments) **place++ = argument;
  registers.rip = syscall_at_;
  registers.rax = static_cast<unsigned long long>(number);
  registers.orig_rax = ~0ULL;  // it is in no system call that would have to be begun again
  if (ptrace(PTRACE_SETREGS, pid_, nullptr, &registers) != 0 || !go_on() || !go_on() ||
      ptrace(PTRACE_GETREGS, pid_, nullptr, &registers) != 0)
    return -ESRCH;
  return static_cast<long>(registers.rax);
}

bool Tracee::run(std::uint64_t entry, std::uint64_t stack) {
  user_regs_struct registers = before_;
  registers.rsp = stack / kStackAlignment * kStackAlignment;
  registers.rip = entry;
  registers.orig_rax = ~0ULL;
  if (ptrace(PTRACE_SETREGS, pid_, nullptr, &registers) != 0) return false;
  for (;;) {
    if (!go_on() || ptrace(PTRACE_GETREGS, pid_, nullptr, &registers) != 0) return false;
    const bool last = registers.orig_rax == kLastSystemCall && registers.rdi == 0;
    if (!go_on()) return false;
    if (last) return true;
  }
}

// Whether a SIGCONT is pending: then it came after every SIGSTOP, which would have taken it back.
bool Tracee::is_continued() const {
  constexpr std::string_view kPending = "ShdPnd:";
  std::ifstream status("/proc/" + std::to_string(pid_) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (!line.starts_with(kPending)) continue;
    const auto pending = std::strtoull(line.c_str() + kPending.size(), nullptr, 16);
    return (pending >> (SIGCONT - 1) & 1U) != 0;
  }
  return false;
}

// A system call that was interrupted begins again by these registers: whoever is let go looks for
// signals first, and the kernel begins it there (arch_do_signal_or_restart()).
bool Tracee::put_back() {
  bool done = true;
  if (taken_) {
    iovec vectors{vectors_.data(), vectors_.size()};
    if (!vectors_.empty()) ptrace(PTRACE_SETREGSET, pid_, NT_X86_XSTATE, &vectors);
    done = ptrace(PTRACE_SETREGS, pid_, nullptr, &before_) == 0;
  }
  if (held_) ptrace(PTRACE_SETSIGMASK, pid_, sizeof mask_, &mask_);
  if (stop_it_ && !is_continued()) kill(pid_, SIGSTOP);
  return done;
}

bool Tracee::let_go() {
  if (let_go_) return true;
  let_go_ = true;
  put_back();
  return ptrace(PTRACE_DETACH, pid_, nullptr, nullptr) == 0;
}

bool Tracee::give_back() {
  if (let_go_) return true;
  let_go_ = true;
  const bool done = put_back();
  const int options = filters_suspended_ ? PTRACE_O_SUSPEND_SECCOMP : 0;
  return ptrace(PTRACE_SETOPTIONS, pid_, nullptr, options) == 0 && done;
}

}  // namespace clockshim::cli
