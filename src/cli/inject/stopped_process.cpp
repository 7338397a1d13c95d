#include "cli/inject/stopped_process.h"

#include <dirent.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <thread>

#include "cli/inject/vdso.h"
#include "os/error_text.h"
#include "os/read_file.h"

namespace clockshim::cli {
namespace {

using std::chrono::steady_clock;

std::vector<pid_t> threads_of(pid_t pid) {
  std::vector<pid_t> out;
  DIR* const tasks = opendir(("/proc/" + std::to_string(pid) + "/task").c_str());
  if (tasks == nullptr) return out;
  while (const dirent* entry = readdir(tasks)) {
    const long thread = std::strtol(entry->d_name, nullptr, 10);
    if (thread > 0) out.push_back(static_cast<pid_t>(thread));
  }
  closedir(tasks);
  return out;
}

bool has_ended(pid_t pid, pid_t thread) {
  const std::string stat =
      content_of("/proc/" + std::to_string(pid) + "/task/" + std::to_string(thread) + "/stat");
  const std::size_t name_end = stat.rfind(')');
  return name_end == std::string::npos || stat.substr(name_end, 3) == ") Z" ||
         stat.substr(name_end, 3) == ") X";
}

// Whether the thread is in a restartable sequence (rseq(2)): the kernel would no longer know, if it
// were made to run elsewhere and back.
bool in_sequence(pid_t thread, pid_t pid) {
#ifdef PTRACE_GET_RSEQ_CONFIGURATION
  __ptrace_rseq_configuration area{};
  if (ptrace(PTRACE_GET_RSEQ_CONFIGURATION, thread, sizeof area, &area) <= 0 ||
      area.rseq_abi_pointer == 0)
    return false;
  constexpr std::uint64_t kSequenceAt = 8;  // struct rseq's rseq_cs
  std::uint64_t sequence = 0;
  return read_memory(pid, area.rseq_abi_pointer + kSequenceAt, &sequence, sizeof sequence) &&
         sequence != 0;
#else
  static_cast<void>(thread);
  static_cast<void>(pid);
  return false;
#endif
}

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
      problem = "one of its threads does not stop";
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

std::vector<StoppedProcess::Place> StoppedProcess::places() const {
  std::vector<Place> out;
  for (const auto& [thread, state] : threads_) {
    user_regs_struct registers{};
    if (state.stopped && ptrace(PTRACE_GETREGS, thread, nullptr, &registers) == 0)
      out.push_back({registers.rip, registers.rsp});
  }
  return out;
}

pid_t StoppedProcess::borrowable() const {
  for (const auto& [thread, state] : threads_) {
    if (state.stopped && state.signal == 0 && !in_sequence(thread, pid_)) return thread;
  }
  return 0;
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
