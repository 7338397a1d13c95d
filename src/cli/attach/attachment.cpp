#include "cli/attach/attachment.h"

#include <elf.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <functional>
#include <iterator>
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
#include "os/process.h"
#include "os/read_file.h"
#include "os/write.h"

namespace clockshim::cli {
namespace {

using Milliseconds = std::chrono::milliseconds;

// How long threads may take to stop, the first time: so long, and so much longer for each of them.
// Each further try waits longer than the last. Between tries the process runs.
constexpr Milliseconds kFirstPatience{30};
constexpr Milliseconds kMostPatience{150};
constexpr Milliseconds kPatienceAThread{1};
constexpr int kTries = 25;
constexpr Milliseconds kBetweenTries{20};
// No more tries once the process has stood still for so long in all.
constexpr Milliseconds kMostInAll{1'000};
// A try that has told nothing for so long has met something that holds it up.
constexpr Milliseconds kHungUp{10'000};

// What a try tells before its end: from here on, and until here, the process must not be left.
constexpr char kBorrowed = 'b';
constexpr char kGivenBack = 'e';

struct Try {
  Milliseconds patience;
  int progress;  // a descriptor
  void tell(char what) const { static_cast<void>(!write(progress, &what, 1)); }
};

std::string proc(pid_t pid, const std::string& file) {
  return "/proc/" + std::to_string(pid) + "/" + file;
}

std::string line_of(const std::string& path, const std::string& name) {
  std::istringstream lines(content_of(path));
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(name + ":\t")) return line.substr(name.size() + 2);
  }
  return "";
}
std::string status_line(pid_t pid, const std::string& name) {
  return line_of(proc(pid, "status"), name);
}

std::vector<std::string> tasks_of(pid_t pid) {
  std::vector<std::string> out;
  std::error_code unknown;
  for (const auto& task : std::filesystem::directory_iterator(proc(pid, "task"), unknown))
    out.push_back(task.path().string());
  return out;
}

std::string name_of(pid_t pid) {
  std::string name = content_of("/proc/" + std::to_string(pid) + "/comm");
  if (name.ends_with('\n')) name.pop_back();
  return name + "[" + std::to_string(pid) + "]";
}

// Whether it has ended, or is about to and has no memory any more. Its first thread may have ended
// before the others.
bool is_gone(pid_t pid) {
  const std::string stat = content_of(proc(pid, "stat"));
  std::istringstream behind(stat.substr(std::min(stat.size(), stat.rfind(')') + 1)));
  std::vector<std::string> words{std::istream_iterator<std::string>(behind), {}};
  constexpr std::size_t kState = 0;  // proc(5): fields 3, 9 and 20
  constexpr std::size_t kFlags = 6;
  constexpr std::size_t kThreads = 17;
  if (words.size() <= kThreads) return true;
  constexpr unsigned long kExiting = 4;  // PF_EXITING
  const bool first_has_ended =
      words[kState] == "Z" || words[kState] == "X" || (std::stoul(words[kFlags]) & kExiting) != 0;
  return first_has_ended && std::stol(words[kThreads]) <= 1;
}

// Whether any of its threads is in this mode of seccomp(2), as /proc has it.
bool any_in_mode(pid_t pid, const char* mode) {
  const std::vector<std::string> tasks = tasks_of(pid);
  return std::any_of(tasks.begin(), tasks.end(), [&](const std::string& task) {
    return line_of(task + "/status", "Seccomp") == mode;
  });
}
bool behind_filter(pid_t pid) { return any_in_mode(pid, "2"); }

// The program that a process runs, so that another one, which it has executed meanwhile or which
// has got its number, is not taken for it: where things are, and 16 random bytes that the kernel
// has put there.
struct Identity {
  std::string vector;
  std::string executable;
  std::array<char, 16> random{};
  bool operator==(const Identity&) const = default;
};

Identity identity_of(pid_t pid) {
  Identity out{content_of(proc(pid, "auxv")), {}, {}};
  std::error_code unknown;
  out.executable = std::filesystem::read_symlink(proc(pid, "exe"), unknown).string();
  for (std::size_t at = 0; at + sizeof(Elf64_auxv_t) <= out.vector.size();
       at += sizeof(Elf64_auxv_t)) {
    Elf64_auxv_t entry;
    std::memcpy(&entry, out.vector.data() + at, sizeof entry);
    if (entry.a_type == AT_RANDOM)
      read_memory(pid, entry.a_un.a_val, out.random.data(), out.random.size());
  }
  return out;
}

// Why it can't be attached to, as far as that is known without touching it; "": it may be.
std::string why_never(pid_t pid) {
  if (!cpu_has_rdtscp()) return "the CPU has no rdtscp";
  if (is_gone(pid)) return "there is no such process";
  if (const std::string group = status_line(pid, "Tgid"); group != std::to_string(pid))
    return "it is a thread of process " + group;
  if (pid == getpid() || pid == getppid()) return "it is this command";
  if (const std::string tracer = status_line(pid, "TracerPid"); tracer != "0" && !tracer.empty())
    return "it is traced by " +
           name_of(static_cast<pid_t>(std::strtol(tracer.c_str(), nullptr, 10)));
  if (any_in_mode(pid, "1")) return "it may make no system calls (seccomp, strict)";
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

// Why nothing can be seen of its memory; "": something can.
std::string why_unseen(pid_t pid) {
  errno = 0;
  const Descriptor vector(open(proc(pid, "auxv").c_str(), O_RDONLY | O_CLOEXEC));
  if (vector.get() < 0 && errno != ESRCH) return why_untraceable(error_text(errno));
  char first = 0;
  if (vector.get() >= 0 && read(vector.get(), &first, 1) == 1) {
    std::string header = "";
    const Descriptor program(open(proc(pid, "exe").c_str(), O_RDONLY | O_CLOEXEC));
    read_all(program.get(), header, EI_CLASS + 1);
    return header.size() > EI_CLASS && header[EI_CLASS] == ELFCLASS32 ? "it is a 32-bit program"
                                                                      : "";
  }
  return status_line(pid, "State").starts_with('Z')
             ? "its first thread has ended, by whose number nothing can be seen of it"
             : "it is a thread of the kernel's";
}

bool has_library(pid_t pid) {
  const std::vector<MappedRange> map = memory_map_of(pid);
  return std::any_of(map.begin(), map.end(), [](const MappedRange& mapped) {
    const std::string name = base_name(mapped.path);
    return name == "libclockshim.so" || name == "libclockshim.so (deleted)";
  });
}

// Where the threads are at work, and where they may come back to: return addresses on their stacks,
// and what signal handlers have interrupted, which the kernel has put there.
class Occupied {
 public:
  // `map` is of shortly before.
  Occupied(pid_t pid, const StoppedProcess& process, const std::vector<MappedRange>& map) {
    for (const StoppedProcess::Place& place : process.places()) {
      addresses_.push_back(place.pc);
      read_stack(pid, place.stack, map);
    }
  }

  // Addresses of [begin, end).
  [[nodiscard]] bool anywhere_in(std::uint64_t begin, std::uint64_t end) const {
    return std::any_of(addresses_.begin(), addresses_.end(),
                       [&](std::uint64_t address) { return address >= begin && address < end; });
  }

 private:
  // As much of a stack as handlers that are at work now can have left: a frame of the kernel's has
  // 11 KiB at most. Nothing behind the stack is read, which may be memory that one of these threads
  // would have to provide (userfaultfd(2)).
  void read_stack(pid_t pid, std::uint64_t pointer, const std::vector<MappedRange>& map) {
    constexpr std::size_t kWord = sizeof(std::uint64_t);
    constexpr std::size_t kPage = 4096;
    constexpr std::size_t kPages = 16;
    std::uint64_t at = pointer / kWord * kWord;
    const auto mapped = std::find_if(map.begin(), map.end(), [at](const MappedRange& range) {
      return at >= range.begin && at < range.end;
    });
    const std::uint64_t last = mapped == map.end() ? at : mapped->end;
    for (std::size_t i = 0; i < kPages && at < last; ++i) {
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

bool share_memory(pid_t one, pid_t other) {
  constexpr int kSameMemory = 1;  // KCMP_VM
  return syscall(SYS_kcmp, one, other, kSameMemory, 0, 0) == 0;
}

// Whether it is a child between vfork and exec.
bool is_in_parents_memory(pid_t pid) {
  const long parent = std::strtol(status_line(pid, "PPid").c_str(), nullptr, 10);
  return parent > 0 && share_memory(pid, static_cast<pid_t>(parent));
}

// A child that uses its memory without being a thread of it (clone(2) with CLONE_VM); 0: there is
// none. Its threads stand still, so none of them is in vfork.
pid_t child_in_memory_of(pid_t pid) {
  for (const std::string& task : tasks_of(pid)) {
    std::istringstream children(content_of(task + "/children"));
    for (pid_t child = 0; children >> child;) {
      if (share_memory(pid, child)) return child;
    }
  }
  return 0;
}

// What is known of a process before it is stopped.
struct Look {
  Vdso vdso{};
  Identity identity{};
  std::vector<MappedRange> map{};
  FoundImages images{};
  bool filtered = false;
};

// Looks at it. Returns "", or why nothing can be done with it; then `result` says whether it may be
// possible later.
std::string look_at(pid_t pid, Look& out, AttachResult& result) {
  if (std::string why_not = why_never(pid); !why_not.empty()) return why_not;
  if (std::string why_not = why_unseen(pid); !why_not.empty()) return why_not;
  out.identity = identity_of(pid);
  if (std::string why_not = read_vdso(pid, out.vdso); !why_not.empty())
    return errno == EPERM ? why_untraceable(error_text(EPERM)) : why_not;
  if (is_in_parents_memory(pid)) {
    result.again = true;
    return "it is in the memory of its parent (vfork)";
  }
  out.map = memory_map_of(pid);
  out.filtered = behind_filter(pid);
  find_images(pid, out.vdso, out.images);
  return "";
}

// Whether the process is as it was when it was looked at: nobody has attached to it or detached
// from it meanwhile, and it has not executed another program.
bool is_as_seen(pid_t pid, const Look& look) {
  Vdso now;
  return identity_of(pid) == look.identity && read_vdso(pid, now).empty() &&
         now.at == look.vdso.at && now.bytes == look.vdso.bytes;
}

// Holds the process still, as soon as nobody is in the way (`free` says so), and does `act` with
// one of its threads. `act` returns "", or why not.
void while_stopped(pid_t pid, const Try& how, const Look& look, AttachResult& result,
                   const std::function<bool(const StoppedProcess&)>& free,
                   const std::function<std::string(Tracee&)>& act) {
  const Milliseconds patience = how.patience + kPatienceAThread * tasks_of(pid).size();
  for (int i = 0; i < kTries; ++i) {
    if (i > 0) std::this_thread::sleep_for(kBetweenTries);
    StoppedProcess process(pid);
    std::string problem;
    const StoppedProcess::Outcome outcome = process.stop(patience, look.filtered, problem);
    const bool stands = outcome == StoppedProcess::Outcome::stopped;
    const pid_t thread = stands ? process.borrowable() : 0;
    result.again =
        outcome == StoppedProcess::Outcome::not_now || (stands && !is_as_seen(pid, look));
    const pid_t beside = stands ? child_in_memory_of(pid) : 0;
    const bool now = stands && !result.again && thread != 0 && beside == 0 && free(process);
    if (now) {
      how.tell(kBorrowed);
      {
        Tracee tracee(thread, true);
        problem = act(tracee);
        if (!tracee.give_back() && problem.empty()) problem = "it was killed meanwhile";
      }
      how.tell(kGivenBack);
    }
    process.release();
    result.stopped += process.stopped_for();
    if (outcome == StoppedProcess::Outcome::refused) {
      problem = look.filtered ? "it is behind a filter of system calls (seccomp), which only root "
                                "can suspend: " +
                                    problem
                              : why_untraceable(problem);
    } else if (beside != 0) {
      problem = "it shares its memory with " + name_of(beside);
    } else if (stands && result.again) {
      problem = "it changes all the time";
    } else if (stands && !now) {
      problem = "its threads are always in the middle of what would be changed";
    }
    result.words = problem;
    result.done = now && problem.empty();
    if (now || result.again || !stands || result.stopped > kMostInAll) return;
  }
}

AttachResult attach_now(pid_t pid, const Settings& settings, const Try& how) {
  AttachResult result;
  Look look;
  if (!(result.words = look_at(pid, look, result)).empty()) return result;
  if (has_library(pid)) return {.words = "it has the library already, which serves it"};
  if (look.images.entries == Entries::ours)
    return {.already = true, .words = "it is served by an image already"};
  if (look.images.entries == Entries::strange)
    return {.words = "somebody else has changed its vDSO"};
  ImageInProcess image(look.vdso);
  const std::vector<std::uint64_t> rooms = room_near(look.map, look.vdso.at, image.size());
  FoundImage before;
  for (const FoundImage& found : look.images.all) {
    if (found.segment) before = found;
  }
  PreparedImage prepared;
  prepared.prepare(pid, settings, 0, before.segment, before.counts);
  const auto no_entry_is_in_use = [&](const StoppedProcess& process) {
    const Occupied occupied(pid, process, look.map);
    return std::none_of(kServedFunctions.begin(), kServedFunctions.end(),
                        [&](const std::string_view name) {
                          // At the very beginning, the jump will be the next instruction.
                          const std::uint64_t entry = find_function(look.vdso, name).at;
                          return occupied.anywhere_in(entry + 1, entry + kJumpSize);
                        });
  };
  while_stopped(pid, how, look, result, no_entry_is_in_use, [&](Tracee& tracee) {
    if (!tracee.take(look.vdso.bytes, look.vdso.at, look.filtered))
      return std::string("its threads can't be worked with");
    std::string why_not = image.put_into(tracee, prepared, look.images, rooms);
    if (!why_not.empty()) return why_not;
    if (image.connect(tracee)) return std::string();
    ImageInProcess::disconnect(tracee, look.vdso);
    return std::string("its vDSO can't be changed");
  });
  if (!result.done) return result;
  result.words = prepared.mode();
  result.reason = prepared.mode_reason();
  result.uncounted = prepared.uncounted();
  prepared.keep_region();
  return result;
}

AttachResult detach_now(pid_t pid, const Try& how) {
  AttachResult result;
  Look look;
  if (!(result.words = look_at(pid, look, result)).empty()) return result;
  if (has_library(pid))
    return {.words = "it was started with the library, which can't be taken out of it"};
  if (look.images.entries == Entries::original)
    return {.already = true, .words = "it is not served by an image"};
  if (look.images.entries == Entries::strange)
    return {.words = "somebody else has changed its vDSO"};
  const FoundImage& found = *look.images.connected;
  while_stopped(
      pid, how, look, result, [](const StoppedProcess&) { return true; },
      [&](Tracee& tracee) {
        if (!ImageInProcess::disconnect(tracee, look.vdso)) return "its vDSO can't be changed";
        // A forked child's calls are counted with its parent's.
        if (found.start_ticks == start_ticks_in(content_of(proc(pid, "stat"))))
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

// Reads what the process tells. False: it has told nothing for too long, while nothing of the other
// process was in its hands.
bool hear(int from, std::string& told) {
  bool borrowed = false;
  for (;;) {
    pollfd ready{from, POLLIN, 0};
    const int got = poll(&ready, 1, static_cast<int>(kHungUp.count()));
    if (got == 0 && !borrowed) return false;
    if (got <= 0) continue;
    std::array<char, 4096> piece{};
    const ssize_t size = read(from, piece.data(), piece.size());
    if (size <= 0) return true;
    for (const char c : std::string_view(piece.data(), static_cast<std::size_t>(size))) {
      if (told.empty() && (c == kBorrowed || c == kGivenBack)) {
        borrowed = c == kBorrowed;
      } else {
        told += c;
      }
    }
  }
}

AttachResult by_process(const std::function<AttachResult(const Try&)>& f, Milliseconds patience) {
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
    write_all(to.get(), packed(f({patience, to.get()})));
    _exit(0);
  }
  to = Descriptor();
  std::string told;
  const bool heard = hear(from.get(), told);
  if (!heard) kill(child, SIGKILL);
  int status = 0;
  waitpid(child, &status, 0);
  if (!heard) return {.words = "it holds up whoever looks at it (userfaultfd, or a file system)"};
  if (told.empty()) return {.words = "the process that did it has died"};
  return unpacked(told);
}

// A thread that did not stop goes on with what was asked of it only when that process is gone.
AttachResult in_tries(pid_t pid, const std::function<AttachResult(const Try&)>& f) {
  AttachResult result;
  std::chrono::nanoseconds stopped{};
  Milliseconds patience = kFirstPatience;
  for (int i = 0; i < kTries; ++i, patience = std::min(patience * 2, kMostPatience)) {
    result = by_process(f, patience);
    stopped += result.stopped;
    if (!result.done && is_gone(pid)) {
      result.gone = true;
      result.words =
          status_line(pid, "State").empty() ? "there is no such process" : "it has ended";
    }
    if (!result.again || result.gone || stopped > kMostInAll) break;
    std::this_thread::sleep_for(kBetweenTries);
  }
  result.stopped = stopped;
  return result;
}

}  // namespace

AttachResult attach(pid_t pid, const Settings& settings) {
  return in_tries(pid, [&](const Try& how) { return attach_now(pid, settings, how); });
}

AttachResult detach(pid_t pid) {
  return in_tries(pid, [pid](const Try& how) { return detach_now(pid, how); });
}

}  // namespace clockshim::cli
