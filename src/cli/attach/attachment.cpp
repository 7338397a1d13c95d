#include "cli/attach/attachment.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <functional>
#include <sstream>
#include <thread>
#include <vector>

#include "arch/cpu_features.h"
#include "cli/inject/function_entry.h"
#include "cli/inject/image_in_process.h"
#include "cli/inject/memory_map.h"
#include "cli/inject/prepared_image.h"
#include "cli/inject/stopped_process.h"
#include "cli/inject/tracee.h"
#include "cli/inject/vdso.h"
#include "os/base_name.h"
#include "os/descriptor.h"
#include "os/error_text.h"
#include "os/read_file.h"
#include "os/write.h"

namespace clockshim::cli {
namespace {

using Milliseconds = std::chrono::milliseconds;

// How long threads may take to stop, the first time; each further try waits twice as long as the
// last. Between tries the process runs.
constexpr Milliseconds kFirstPatience{20};
constexpr int kTries = 8;
constexpr Milliseconds kBetweenTries{5};

struct Try {
  Milliseconds patience;
  bool filtered;  // it is behind a filter of system calls, which is suspended
};

std::string status_line(pid_t pid, const std::string& name) {
  std::istringstream lines(content_of("/proc/" + std::to_string(pid) + "/status"));
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(name + ":\t")) return line.substr(name.size() + 2);
  }
  return "";
}

std::string name_of(pid_t pid) {
  std::string name = content_of("/proc/" + std::to_string(pid) + "/comm");
  if (name.ends_with('\n')) name.pop_back();
  return name + "[" + std::to_string(pid) + "]";
}

// Whether it has ended, or is about to and has no memory any more.
bool is_gone(pid_t pid) {
  const std::string stat = content_of("/proc/" + std::to_string(pid) + "/stat");
  std::istringstream behind(stat.substr(std::min(stat.size(), stat.rfind(')') + 1)));
  char state = 'X';
  long number = 0;
  unsigned long flags = 0;
  constexpr int kNumbersBeforeFlags = 5;  // proc(5): fields 4 to 8
  behind >> state;
  for (int i = 0; i < kNumbersBeforeFlags; ++i) behind >> number;
  behind >> flags;
  constexpr unsigned long kExiting = 4;  // PF_EXITING
  return state == 'Z' || state == 'X' || (flags & kExiting) != 0;
}

bool behind_filter(pid_t pid) { return status_line(pid, "Seccomp") == "2"; }

// Why it can't be attached to, as far as that is known without touching it; "": it may be.
std::string why_never(pid_t pid) {
  if (!cpu_has_rdtscp()) return "the CPU has no rdtscp";
  if (is_gone(pid)) return "there is no such process";
  if (pid == getpid() || pid == getppid()) return "it is this command";
  if (const std::string tracer = status_line(pid, "TracerPid"); tracer != "0" && !tracer.empty())
    return "it is traced by " +
           name_of(static_cast<pid_t>(std::strtol(tracer.c_str(), nullptr, 10)));
  if (status_line(pid, "Seccomp") == "1") return "it may make no system calls (seccomp, strict)";
  return "";
}

// What stands in the way of tracing, in words of somebody who could remove it.
std::string why_untraceable(const std::string& error) {
  std::string scope = content_of("/proc/sys/kernel/yama/ptrace_scope");
  if (scope.ends_with('\n')) scope.pop_back();
  std::string words = "it can't be traced: " + error;
  if (geteuid() != 0) {
    words += scope.empty() || scope == "0"
                 ? " (another user's? try sudo)"
                 : " (kernel.yama.ptrace_scope is " + scope + ": try sudo)";
  } else if (scope == "3") {
    words += " (kernel.yama.ptrace_scope is 3: nobody may, until the next boot)";
  }
  return words;
}

bool has_library(pid_t pid) {
  const std::vector<MappedRange> map = memory_map_of(pid);
  return std::any_of(map.begin(), map.end(), [](const MappedRange& mapped) {
    return base_name(mapped.path).starts_with("libclockshim.so");
  });
}

// Where the threads are at work, and where they may come back to: return addresses on their stacks,
// and what signal handlers have interrupted, which the kernel has put there.
class Occupied {
 public:
  Occupied(pid_t pid, const StoppedProcess& process) {
    for (const StoppedProcess::Place& place : process.places()) {
      addresses_.push_back(place.pc);
      read_stack(pid, place.stack);
    }
  }

  // Addresses of [begin, end).
  [[nodiscard]] bool anywhere_in(std::uint64_t begin, std::uint64_t end) const {
    return std::any_of(addresses_.begin(), addresses_.end(),
                       [&](std::uint64_t address) { return address >= begin && address < end; });
  }

 private:
  // As much of a stack as handlers that are at work now can have left: a frame of the kernel's has
  // 11 KiB at most.
  void read_stack(pid_t pid, std::uint64_t pointer) {
    constexpr std::size_t kWord = sizeof(std::uint64_t);
    constexpr std::size_t kPage = 4096;
    constexpr std::size_t kPages = 16;
    std::uint64_t at = pointer / kWord * kWord;
    for (std::size_t i = 0; i < kPages; ++i) {
      const std::uint64_t end = (at / kPage + 1) * kPage;
      const std::size_t before = addresses_.size();
      addresses_.resize(before + (end - at) / kWord);
      if (!read_memory(pid, at, &addresses_[before], end - at)) {
        addresses_.resize(before);
        break;
      }
      at = end;
    }
  }

  std::vector<std::uint64_t> addresses_;
};

// The processes that use the same memory without being threads of this one: a child between vfork
// and exec, or its parent. 0: there is none.
pid_t shares_memory_with(pid_t pid) {
  constexpr int kSameMemory = 1;  // KCMP_VM
  std::vector<pid_t> relatives{
      static_cast<pid_t>(std::strtol(status_line(pid, "PPid").c_str(), nullptr, 10))};
  std::error_code unknown;
  for (const auto& thread :
       std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/task", unknown)) {
    std::istringstream children(content_of(thread.path().string() + "/children"));
    for (pid_t child = 0; children >> child;) relatives.push_back(child);
  }
  for (const pid_t relative : relatives) {
    if (relative > 0 && syscall(SYS_kcmp, pid, relative, kSameMemory, 0, 0) == 0) return relative;
  }
  return 0;
}

// Holds the process still, as soon as nobody is in the way (`free` says so), and does `act` with
// one of its threads. `act` returns "", or why not.
void while_stopped(pid_t pid, Try how, AttachResult& result,
                   const std::function<bool(const StoppedProcess&)>& free,
                   const std::function<std::string(Tracee&)>& act) {
  for (int i = 0; i < kTries; ++i) {
    if (i > 0) std::this_thread::sleep_for(kBetweenTries);
    StoppedProcess process(pid);
    std::string problem;
    const StoppedProcess::Outcome outcome = process.stop(how.patience, how.filtered, problem);
    if (outcome == StoppedProcess::Outcome::refused) {
      result.words = how.filtered ? "it is behind a filter of system calls (seccomp), which only "
                                    "root can suspend: " +
                                        problem
                                  : why_untraceable(problem);
      return;
    }
    result.again = outcome == StoppedProcess::Outcome::not_now;
    result.words = problem;
    if (result.again) return;
    const pid_t thread = process.borrowable();
    if (thread == 0 || !free(process)) {
      result.words = "its threads are always in the middle of what would be changed";
      continue;
    }
    {
      Tracee tracee(thread, true);
      result.words = act(tracee);
      if (!tracee.give_back() && result.words.empty()) result.words = "it was killed meanwhile";
    }
    process.release();
    result.stopped = process.stopped_for();
    result.done = result.words.empty();
    return;
  }
}

AttachResult attach_now(pid_t pid, const Settings& settings, Milliseconds patience) {
  AttachResult result;
  Vdso vdso;
  if (!(result.words = why_never(pid)).empty()) return result;
  if (has_library(pid)) return {.words = "it has the library already, which serves it"};
  if (!(result.words = read_vdso(pid, vdso)).empty()) {
    if (errno == EPERM) result.words = why_untraceable(error_text(EPERM));
    return result;
  }
  if (const pid_t other = shares_memory_with(pid); other != 0)
    return {.again = true, .words = "it shares its memory with " + name_of(other)};
  const FoundImage before = find_image(pid, vdso);
  if (before.entries == Entries::ours)
    return {.already = true, .words = "it is served by an image already"};
  if (before.entries == Entries::strange) return {.words = "somebody else has changed its vDSO"};
  ImageInProcess image(vdso);
  PreparedImage prepared;
  prepared.prepare(pid, settings, 0, before.segment);
  bool unused = false;
  const auto no_entry_is_in_use = [&](const StoppedProcess& process) {
    const Occupied occupied(pid, process);
    unused = before.ours && !occupied.anywhere_in(before.base, before.base + image.size());
    return std::none_of(kServedFunctions.begin(), kServedFunctions.end(),
                        [&](const std::string_view name) {
                          // At the very beginning, the jump will be the next instruction.
                          const std::uint64_t entry = find_function(vdso, name).at;
                          return occupied.anywhere_in(entry + 1, entry + kJumpSize);
                        });
  };
  const Try how{patience, behind_filter(pid)};
  while_stopped(pid, how, result, no_entry_is_in_use, [&](Tracee& tracee) {
    if (!tracee.take(vdso.bytes, vdso.at, how.filtered))
      return std::string("its threads can't be worked with");
    std::string why_not = image.put_into(tracee, prepared, before, unused);
    if (!why_not.empty()) return why_not;
    if (image.connect(tracee)) return std::string();
    ImageInProcess::disconnect(tracee, vdso);
    return std::string("its vDSO can't be changed");
  });
  if (!result.done) return result;
  result.words = prepared.mode();
  result.reason = prepared.mode_reason();
  result.uncounted = prepared.uncounted();
  if (prepared.region() != nullptr) prepared.keep_region();
  return result;
}

AttachResult detach_now(pid_t pid, Milliseconds patience) {
  AttachResult result;
  Vdso vdso;
  if (!(result.words = why_never(pid)).empty()) return result;
  if (has_library(pid))
    return {.words = "it was started with the library, which can't be taken out of it"};
  if (!(result.words = read_vdso(pid, vdso)).empty()) return result;
  const FoundImage found = find_image(pid, vdso);
  if (found.entries == Entries::original)
    return {.already = true, .words = "it is not served by an image"};
  if (found.entries == Entries::strange) return {.words = "somebody else has changed its vDSO"};
  while_stopped(
      pid, {patience, behind_filter(pid)}, result, [](const StoppedProcess&) { return true; },
      [&](Tracee& tracee) {
        if (!ImageInProcess::disconnect(tracee, vdso)) return "its vDSO can't be changed";
        ImageInProcess::end_counting(tracee, found);
        return "";
      });
  return result;
}

// What is told by the process that does it: a digit, a number, and three texts that end with a zero
// byte.
std::string packed(const AttachResult& result) {
  std::string out;
  out += result.done ? '1' : result.again ? '2' : result.already ? '3' : '0';
  out += std::to_string(result.stopped.count()) + '\0';
  for (const std::string* text : {&result.words, &result.reason, &result.uncounted})
    out += *text + '\0';
  return out;
}

AttachResult unpacked(const std::string& text) {
  AttachResult result;
  std::istringstream parts(text.empty() ? text : text.substr(1));
  std::string stopped;
  std::getline(parts, stopped, '\0');
  std::getline(parts, result.words, '\0');
  std::getline(parts, result.reason, '\0');
  std::getline(parts, result.uncounted, '\0');
  result.done = text.starts_with('1');
  result.again = text.starts_with('2');
  result.already = text.starts_with('3');
  result.stopped = std::chrono::nanoseconds(std::strtoll(stopped.c_str(), nullptr, 10));
  return result;
}

AttachResult by_process(const std::function<AttachResult(Milliseconds)>& f, Milliseconds patience) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return {.words = error_text(errno)};
  const Descriptor from(ends[0]);
  Descriptor to(ends[1]);
  const pid_t child = fork();
  if (child < 0) return {.words = error_text(errno)};
  if (child == 0) {
    // Nobody ends it in the middle, by Ctrl-C say.
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, nullptr);
    write_all(to.get(), packed(f(patience)));
    _exit(0);
  }
  to = Descriptor();
  std::string told;
  read_all(from.get(), told);
  int status = 0;
  waitpid(child, &status, 0);
  if (told.empty()) return {.words = "the process that did it has died"};
  return unpacked(told);
}

// A thread that did not stop goes on with what was asked of it only when that process is gone.
AttachResult in_tries(pid_t pid, const std::function<AttachResult(Milliseconds)>& f) {
  AttachResult result;
  Milliseconds patience = kFirstPatience;
  for (int i = 0; i < kTries; ++i, patience *= 2) {
    result = by_process(f, patience);
    if (!result.done && is_gone(pid)) {
      result.gone = true;
      result.words =
          status_line(pid, "State").empty() ? "there is no such process" : "it has ended";
    }
    if (!result.again || result.gone) break;
    std::this_thread::sleep_for(kBetweenTries);
  }
  return result;
}

}  // namespace

AttachResult attach(pid_t pid, const Settings& settings) {
  return in_tries(pid, [&](Milliseconds patience) { return attach_now(pid, settings, patience); });
}

AttachResult detach(pid_t pid) {
  return in_tries(pid, [pid](Milliseconds patience) { return detach_now(pid, patience); });
}

}  // namespace clockshim::cli
