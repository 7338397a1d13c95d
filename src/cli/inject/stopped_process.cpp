#include "cli/inject/stopped_process.h"

#include <sys/ptrace.h>
#include <sys/time.h>
#include <sys/user.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <thread>

#include "cli/inject/proc_files.h"
#include "cli/inject/vdso.h"
#include "os/base_name.h"
#include "os/error_text.h"

namespace clockshim::cli {
namespace {

using std::chrono::steady_clock;

std::vector<pid_t> threads_of(pid_t pid) {
  std::vector<pid_t> out;
  for (const std::string& task : task_folders(pid))
    out.push_back(static_cast<pid_t>(std::atol(base_name(task).c_str())));
  return out;
}

StatFile stat_of(pid_t pid, pid_t thread) {
  return StatFile(proc_file(pid, "task/" + std::to_string(thread) + "/stat"));
}

bool has_ended(pid_t pid, pid_t thread) {
  const StatFile stat = stat_of(pid, thread);
  return !stat || stat.has_ended();
}

// Whether it is a thread of the kernel's that works for the process (io_uring's), which never comes
// to run the process's own code.
bool works_for_kernel(pid_t pid, pid_t thread) {
  constexpr unsigned long kIoWorker = 0x10;      // PF_IO_WORKER
  constexpr unsigned long kUserWorker = 0x4000;  // PF_USER_WORKER
  const StatFile stat = stat_of(pid, thread);
  return !stat || (stat.flags() & (kIoWorker | kUserWorker)) != 0;
}

// Whether the thread is in a restartable sequence (rseq(2)): the kernel would no longer know, if it
// were made to run elsewhere and back. That one is noted does not mean that it is in it still.
bool in_sequence(pid_t pid, pid_t thread, std::uint64_t pc) {
#ifdef PTRACE_GET_RSEQ_CONFIGURATION
  __ptrace_rseq_configuration area{};
  if (ptrace(PTRACE_GET_RSEQ_CONFIGURATION, thread, sizeof area, &area) <= 0 ||
      area.rseq_abi_pointer == 0)
    return false;
  struct Sequence {  // struct rseq_cs
    std::uint32_t version;
    std::uint32_t flags;
    std::uint64_t start;
    std::uint64_t length;
    std::uint64_t abort;
  };
  constexpr std::uint64_t kSequenceAt = 8;  // struct rseq's rseq_cs
  std::uint64_t at = 0;
  Sequence sequence{};
  return read_memory(pid, area.rseq_abi_pointer + kSequenceAt, &at, sizeof at) && at != 0 &&
         read_memory(pid, at, &sequence, sizeof sequence) && pc - sequence.start < sequence.length;
#else
  static_cast<void>(thread);
  static_cast<void>(pid);
  static_cast<void>(pc);
  return false;
#endif
}

// A thread that calls exec waits until the others are gone, and so does whoever wants to trace it.
// Those that we trace are gone when we have seen their end.
void see_ends(int /*signal*/) {
  siginfo_t info{};
  const int error = errno;
  while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | __WALL) == 0 && info.si_pid != 0) info = {};
  errno = error;
}

// While it lives, see_ends() is called every few milliseconds.
class SeeingEnds {
 public:
  SeeingEnds() {
    struct sigaction action {};
    action.sa_handler = see_ends;
    sigaction(SIGALRM, &action, &before_);
    sigset_t alarm;
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    sigprocmask(SIG_UNBLOCK, &alarm, &mask_);
    constexpr suseconds_t kOften = 5'000;
    const itimerval often{{0, kOften}, {0, kOften}};
    setitimer(ITIMER_REAL, &often, nullptr);
  }
  ~SeeingEnds() {
    const itimerval never{};
    setitimer(ITIMER_REAL, &never, nullptr);
    sigprocmask(SIG_SETMASK, &mask_, nullptr);
    sigaction(SIGALRM, &before_, nullptr);
  }
  SeeingEnds(const SeeingEnds&) = delete;
  SeeingEnds& operator=(const SeeingEnds&) = delete;

 private:
  struct sigaction before_ {};
  sigset_t mask_{};
};

}  // namespace

// False: one of them can't be traced. True, and none is added: there is no new one.
bool StoppedProcess::seize_new(long options, std::string& problem) {
  for (const pid_t thread : threads_of(pid_)) {
    if (threads_.contains(thread)) continue;
    if (ptrace(PTRACE_SEIZE, thread, nullptr, options) != 0) {
      const int error = errno;
      // It has ended; of a first thread that has, its number remains.
      if (error == ESRCH || has_ended(pid_, thread)) continue;
      problem = error_text(error);
      return false;
    }
    threads_[thread];
    if (since_ == steady_clock::time_point{}) since_ = steady_clock::now();
    ptrace(PTRACE_INTERRUPT, thread, nullptr, nullptr);
  }
  return true;
}

void StoppedProcess::take_stop(pid_t thread, int status) {
  Thread& here = threads_[thread];
  if (!WIFSTOPPED(status)) {
    here.gone = true;
    return;
  }
  here.stopped = true;
  // A stop with an event is no signal: ours, or one of the whole process (SIGSTOP, SIGTSTP), which
  // begins again when it is let go.
  if (status >> 16 == 0) here.signal = WSTOPSIG(status);
}

StoppedProcess::Outcome StoppedProcess::stop(std::chrono::milliseconds patience,
                                             bool suspend_filters, std::string& problem) {
#ifndef PTRACE_O_SUSPEND_SECCOMP
  constexpr long PTRACE_O_SUSPEND_SECCOMP = 1 << 21;
#endif
  const long options = suspend_filters ? PTRACE_O_SUSPEND_SECCOMP : 0;
  const auto deadline = steady_clock::now() + patience;
  const SeeingEnds seeing;
  for (;;) {
    const std::size_t before = threads_.size();
    if (!seize_new(options, problem)) return Outcome::refused;
    bool waiting = threads_.size() != before;
    for (auto& [thread, state] : threads_) {
      if (state.stopped || state.gone) continue;
      int status = 0;
      const pid_t got = waitpid(thread, &status, __WALL | WNOHANG);
      if (got == thread) {
        take_stop(thread, status);
      } else if (got < 0) {
        state.gone = true;
      }
      waiting = true;
    }
    // A thread that is new now was begun by one that had not stopped yet.
    if (!waiting) break;
    if (steady_clock::now() > deadline) {
      problem = "one of its threads does not stop (it waits for a disk, or for a child in vfork)";
      return Outcome::not_now;
    }
    const bool all = std::all_of(threads_.begin(), threads_.end(), [](const auto& thread) {
      return thread.second.stopped || thread.second.gone;
    });
    if (!all) std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
  const bool any = std::any_of(threads_.begin(), threads_.end(),
                               [](const auto& thread) { return thread.second.stopped; });
  if (any) return Outcome::stopped;
  problem = "it has ended";
  return Outcome::refused;
}

std::vector<std::uint64_t> StoppedProcess::stack_pointers() const {
  std::vector<std::uint64_t> out;
  for (const auto& [thread, state] : threads_) {
    user_regs_struct registers{};
    if (state.stopped && ptrace(PTRACE_GETREGS, thread, nullptr, &registers) == 0)
      out.push_back(registers.rsp);
  }
  return out;
}

pid_t StoppedProcess::borrowable() const {
  const auto may_be = [this](pid_t thread, const Thread& state) {
    user_regs_struct registers{};
    return state.stopped && state.signal == 0 &&
           ptrace(PTRACE_GETREGS, thread, nullptr, &registers) == 0 &&
           !works_for_kernel(pid_, thread) && !in_sequence(pid_, thread, registers.rip);
  };
  if (const auto first = threads_.find(pid_);
      first != threads_.end() && may_be(pid_, first->second))
    return pid_;
  for (const auto& [thread, state] : threads_) {
    if (may_be(thread, state)) return thread;
  }
  return 0;
}

bool StoppedProcess::move(const std::function<std::uint64_t(std::uint64_t)>& place,
                          pid_t borrowed) const {
  bool done = true;
  for (const auto& [thread, state] : threads_) {
    user_regs_struct registers{};
    if (!state.stopped || thread == borrowed ||
        ptrace(PTRACE_GETREGS, thread, nullptr, &registers) != 0)
      continue;
    const std::uint64_t to = place(registers.rip);
    if (to == registers.rip) continue;
    registers.rip = to;
    done = to != 0 && ptrace(PTRACE_SETREGS, thread, nullptr, &registers) == 0 && done;
  }
  return done;
}

void StoppedProcess::release() {
  if (threads_.empty()) return;
  for (const auto& [thread, state] : threads_) {
    if (state.stopped) ptrace(PTRACE_DETACH, thread, nullptr, state.signal);
  }
  threads_.clear();
  until_ = steady_clock::now();
}

std::chrono::nanoseconds StoppedProcess::stopped_for() const {
  return (threads_.empty() ? until_ : steady_clock::now()) - since_;
}

}  // namespace clockshim::cli
