#include "cli/inject/program_entry.h"

#include <elf.h>
#include <sys/ptrace.h>
#include <sys/user.h>

#include <csignal>
#include <cstddef>
#include <cstdlib>

#include "cli/inject/proc_files.h"
#include "os/read_file.h"

namespace clockshim::cli {
namespace {

constexpr int kHardwareBreakpoint = 4;  // TRAP_HWBKPT

constexpr std::size_t register_at(std::size_t number) {
  return offsetof(user, u_debugreg) + number * sizeof(user::u_debugreg[0]);
}
constexpr std::size_t kAddress = register_at(0);
constexpr std::size_t kControl = register_at(7);
constexpr unsigned long kOnExecution = 1;  // of register 0, for this thread

bool inherits(pid_t pid, const char* signals) {
  const unsigned long mask = std::strtoul(status_line(pid, signals).c_str(), nullptr, 16);
  return (mask >> (SIGTRAP - 1) & 1U) != 0;
}

}  // namespace

bool ProgramEntry::mark(pid_t pid) {
  at_ = proc_is_ours() ? auxiliary_value(content_of(proc_file(pid, "auxv")), AT_ENTRY) : 0;
  if (at_ == 0 || inherits(pid, "SigBlk") || inherits(pid, "SigIgn") ||
      ptrace(PTRACE_POKEUSER, pid, kAddress, at_) != 0 ||
      ptrace(PTRACE_POKEUSER, pid, kControl, kOnExecution) != 0)
    at_ = 0;
  return at_ != 0;
}

bool ProgramEntry::is_reached(pid_t pid) {
  siginfo_t info{};
  user_regs_struct registers{};
  if (at_ == 0 || ptrace(PTRACE_GETSIGINFO, pid, nullptr, &info) != 0 ||
      info.si_code != kHardwareBreakpoint ||
      ptrace(PTRACE_GETREGS, pid, nullptr, &registers) != 0 || registers.rip != at_)
    return false;
  clear(pid);
  return true;
}

void ProgramEntry::clear(pid_t pid) {
  ptrace(PTRACE_POKEUSER, pid, kControl, 0UL);
  ptrace(PTRACE_POKEUSER, pid, kAddress, 0UL);
  at_ = 0;
}

}  // namespace clockshim::cli
