#include "cli/inject/tracee.h"

#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

namespace clockshim::cli {
namespace {

constexpr std::array<std::byte, 2> kSyscall{std::byte{0x0f}, std::byte{0x05}};
constexpr std::uint64_t kRedZone = 128;  // below the stack pointer (System V ABI, 3.2.2)
constexpr std::uint64_t kStackAlignment = 16;
constexpr std::uint64_t kAllButTraps = ~(std::uint64_t{1} << (SIGTRAP - 1));

void* as_pointer(std::uint64_t address) { return reinterpret_cast<void*>(address); }

}  // namespace

bool Tracee::take(const std::vector<std::byte>& code, std::uint64_t at) {
  const auto found = std::search(code.begin(), code.end(), kSyscall.begin(), kSyscall.end());
  if (found == code.end() || ptrace(PTRACE_GETREGS, pid_, nullptr, &before_) != 0) return false;
  syscall_at_ = at + static_cast<std::uint64_t>(found - code.begin());
  const std::uint64_t held = kAllButTraps;
  if (ptrace(PTRACE_GETSIGMASK, pid_, sizeof mask_, &mask_) != 0 ||
      ptrace(PTRACE_SETSIGMASK, pid_, sizeof held, &held) != 0)
    return false;
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

// Lets it run until its next breakpoint or step.
bool Tracee::go_on(int request) {
  while (!gone_) {
    int status = 0;
    if (ptrace(static_cast<__ptrace_request>(request), pid_, nullptr, nullptr) != 0) return false;
    while (waitpid(pid_, &status, __WALL) < 0) {
      if (errno != EINTR) return false;
    }
    if (!WIFSTOPPED(status)) {
      gone_ = true;
      break;
    }
    if (WSTOPSIG(status) == SIGTRAP) return true;
    if (WSTOPSIG(status) != SIGSTOP) return false;  // it has faulted
    stop_it_ = true;
  }
  return false;
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
  if (ptrace(PTRACE_SETREGS, pid_, nullptr, &registers) != 0 || !go_on(PTRACE_SINGLESTEP) ||
      ptrace(PTRACE_GETREGS, pid_, nullptr, &registers) != 0)
    return -ESRCH;
  if (registers.rip != syscall_at_ + kSyscall.size()) return -EFAULT;
  return static_cast<long>(registers.rax);
}

bool Tracee::run(std::uint64_t entry) {
  user_regs_struct registers = before_;
  registers.rsp = (registers.rsp - kRedZone) / kStackAlignment * kStackAlignment;
  registers.rip = entry;
  registers.orig_rax = ~0ULL;
  siginfo_t why{};
  return ptrace(PTRACE_SETREGS, pid_, nullptr, &registers) == 0 && go_on(PTRACE_CONT) &&
         ptrace(PTRACE_GETSIGINFO, pid_, nullptr, &why) == 0 && why.si_code == SI_KERNEL;
}

void Tracee::let_go() {
  if (gone_) return;
  if (taken_) {
    ptrace(PTRACE_SETREGS, pid_, nullptr, &before_);
    ptrace(PTRACE_SETSIGMASK, pid_, sizeof mask_, &mask_);
  }
  ptrace(PTRACE_DETACH, pid_, nullptr, stop_it_ ? SIGSTOP : 0);
}

}  // namespace clockshim::cli
