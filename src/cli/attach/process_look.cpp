#include "cli/attach/process_look.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <sstream>

#include "arch/cpu_features.h"
#include "cli/inject/proc_files.h"
#include "live/layout.h"
#include "os/base_name.h"
#include "os/descriptor.h"
#include "os/error_text.h"
#include "os/read_file.h"

namespace clockshim::cli {
namespace {

// Whether any of its threads is in this mode of seccomp(2), as /proc has it.
bool any_in_mode(pid_t pid, const char* mode) {
  const std::vector<std::string> tasks = task_folders(pid);
  return std::any_of(tasks.begin(), tasks.end(), [&](const std::string& task) {
    return status_line(task + "/status", "Seccomp") == mode;
  });
}
bool behind_filter(pid_t pid) { return any_in_mode(pid, "2"); }

Identity identity_of(pid_t pid) {
  Identity out{content_of(proc_file(pid, "auxv")), {}, {}};
  std::error_code unknown;
  out.executable = std::filesystem::read_symlink(proc_file(pid, "exe"), unknown).string();
  read_memory(pid, auxiliary_value(out.vector, AT_RANDOM), out.random.data(), out.random.size());
  return out;
}

// Why it can't be attached to, as far as that is known without touching it; "": it may be.
std::string why_never(pid_t pid) {
  if (!cpu_has_rdtscp()) return "the CPU has no rdtscp";
  if (!proc_is_ours()) return "/proc is of another pid namespace";
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

// Why nothing can be seen of its memory; "": something can.
std::string why_unseen(pid_t pid) {
  errno = 0;
  const Descriptor vector(open(proc_file(pid, "auxv").c_str(), O_RDONLY | O_CLOEXEC));
  if (vector.get() < 0 && errno != ESRCH) return why_untraceable(error_text(errno));
  char first = 0;
  if (vector.get() >= 0 && read(vector.get(), &first, 1) == 1) {
    std::string header;
    const Descriptor program(open(proc_file(pid, "exe").c_str(), O_RDONLY | O_CLOEXEC));
    read_all(program.get(), header, EI_CLASS + 1);
    return header.size() > EI_CLASS && header[EI_CLASS] == ELFCLASS32 ? "it is a 32-bit program"
                                                                      : "";
  }
  return status_line(pid, "State").starts_with('Z')
             ? "its first thread has ended, by whose number nothing can be seen of it"
             : "it is a thread of the kernel's";
}

bool share_memory(pid_t one, pid_t other) {
  constexpr int kSameMemory = 1;  // KCMP_VM
  return syscall(SYS_kcmp, one, other, kSameMemory, 0, 0) == 0;
}

// Whether it is a child between vfork and exec.
bool is_in_parents_memory(pid_t pid) {
  const long parent = std::strtol(status_line(pid, "PPid").c_str(), nullptr, 10);
  return parent > 0 && share_memory(pid, static_cast<pid_t>(parent));
}

}  // namespace

std::string name_of(pid_t pid) {
  std::string name = content_of(proc_file(pid, "comm"));
  if (name.ends_with('\n')) name.pop_back();
  return name + "[" + std::to_string(pid) + "]";
}

std::string why_untraceable(const std::string& error, bool filtered) {
  if (filtered)
    return "it is behind a filter of system calls (seccomp), which only root can suspend: " + error;
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

bool is_gone(pid_t pid) {
  const StatFile stat(proc_file(pid, "stat"));
  constexpr unsigned long kExiting = 4;  // PF_EXITING
  return !stat || ((stat.has_ended() || (stat.flags() & kExiting) != 0) && stat.threads() <= 1);
}

bool is_traced(pid_t pid) {
  const std::vector<std::string> tasks = task_folders(pid);
  return std::any_of(tasks.begin(), tasks.end(), [](const std::string& task) {
    const std::string tracer = status_line(task + "/status", "TracerPid");
    return !tracer.empty() && tracer != "0";
  });
}

pid_t child_in_memory_of(pid_t pid) {
  for (const std::string& task : task_folders(pid)) {
    std::istringstream children(content_of(task + "/children"));
    for (pid_t child = 0; children >> child;) {
      if (share_memory(pid, child)) return child;
    }
  }
  return 0;
}

std::string look_at(pid_t pid, Look& out, bool& later) {
  if (std::string why_not = why_never(pid); !why_not.empty()) return why_not;
  if (std::string why_not = why_unseen(pid); !why_not.empty()) return why_not;
  out.identity = identity_of(pid);
  if (std::string why_not = read_vdso(pid, out.vdso); !why_not.empty())
    return errno == EPERM ? why_untraceable(error_text(EPERM)) : why_not;
  if (is_in_parents_memory(pid)) {
    later = true;
    return "it is in the memory of its parent (vfork)";
  }
  out.map = memory_map_of(pid);
  out.filtered = behind_filter(pid);
  find_images(pid, out.vdso, out.images);
  return "";
}

bool is_as_seen(pid_t pid, const Look& look) {
  Vdso now;
  return identity_of(pid) == look.identity && read_vdso(pid, now).empty() &&
         now.at == look.vdso.at && now.bytes == look.vdso.bytes;
}

}  // namespace clockshim::cli
