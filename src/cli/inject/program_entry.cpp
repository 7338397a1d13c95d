#include "cli/inject/program_entry.h"

#include <elf.h>
#include <sys/ptrace.h>
#include <sys/user.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "cli/inject/proc_files.h"
#include "cli/inject/tracee.h"
#include "image/contract.h"
#include "os/read_file.h"

namespace clockshim::cli {
namespace {

constexpr std::array<unsigned char, 2> kSyscall{0x0f, 0x05};

}  // namespace

bool ProgramEntry::mark(pid_t pid) {
  at_ = auxiliary_value(content_of(proc_file(pid, "auxv")), AT_ENTRY);
  errno = 0;
  original_ = ptrace(PTRACE_PEEKTEXT, pid, at_, nullptr);
  if (errno != 0) at_ = 0;
  long marked = original_;
  std::memcpy(&marked, kSyscall.data(), kSyscall.size());
  if (at_ != 0 && ptrace(PTRACE_POKETEXT, pid, at_, marked) != 0) at_ = 0;
  return at_ != 0;
}

bool ProgramEntry::is_reached(pid_t pid) {
  user_regs_struct registers{};
  if (at_ == 0 || ptrace(PTRACE_GETREGS, pid, nullptr, &registers) != 0 ||
      registers.rip != at_ + kSyscall.size())
    return false;
  // It has to be made, so it is one that does nothing.
  user_regs_struct harmless = registers;
  harmless.orig_rax = kLastSystemCall;
  harmless.rdi = harmless.rsi = harmless.rdx = 0;
  if (ptrace(PTRACE_SETREGS, pid, nullptr, &harmless) != 0 || !Tracee::end_system_call(pid))
    return false;
  registers.rip = at_;
  registers.rax = registers.orig_rax;
  registers.orig_rax = ~0ULL;
  at_ = 0;
  return ptrace(PTRACE_POKETEXT, pid, registers.rip, original_) == 0 &&
         ptrace(PTRACE_SETREGS, pid, nullptr, &registers) == 0;
}

}  // namespace clockshim::cli
