#include "cli/livefiles/live_process.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string_view>

#include "cli/console/values.h"
#include "os/process.h"
#include "os/read_file.h"

namespace clockshim::cli {
namespace {

constexpr std::uint64_t kInitialNamespace =
    0xEFFFFFFC;  // PROC_PID_INIT_INO: the initial namespace, which sees all processes

std::string proc(long pid) { return "/proc/" + std::to_string(pid); }
std::string task(long pid, long tid) { return proc(pid) + "/task/" + std::to_string(tid); }

// Whether a line of /proc/PID/maps (addresses, rights, offset, device, inode, path) is the
// creator's file.
bool names_file(const std::string& line, const FileCreator& creator) {
  unsigned major = 0;
  unsigned minor = 0;
  unsigned long long inode = 0;
  int path = 0;
  if (std::sscanf(line.c_str(), "%*s %*s %*s %x:%x %llu %n", &major, &minor, &inode, &path) < 3)
    return false;
  if (creator.name == kSegmentName) return inode == creator.inode && line.ends_with(kSegmentName);
  if (inode == 0) return false;
  if (inode == creator.inode && makedev(major, minor) == creator.device) return true;
  // Some file systems (overlayfs, btrfs) show another device here than stat(2) does. No other
  // process uses the name.
  const std::string_view mapped = std::string_view(line).substr(static_cast<std::size_t>(path));
  return mapped.size() > creator.name.size() && mapped.ends_with(creator.name) &&
         mapped[mapped.size() - creator.name.size() - 1] == '/';
}

// The number of a process or thread in its innermost pid namespace, from its folder in /proc; 0:
// unknown.
std::uint32_t inner_number(const std::string& folder) {
  std::string status;
  if (read_file(folder + "/status", status) != 0) return 0;
  const std::size_t start = status.find("\nNSpid:");
  if (start == std::string::npos) return 0;
  std::istringstream numbers(status.substr(start + 7, status.find('\n', start + 1) - start - 7));
  std::uint32_t inner = 0;
  for (std::uint32_t number; numbers >> number;) inner = number;
  return inner;
}

// Whether it is known to be in another pid namespace. Much cheaper to find out than what it maps.
bool is_in_another(long pid, std::uint64_t pid_namespace) {
  struct stat info {};
  return pid_namespace != 0 && stat((proc(pid) + "/ns/pid").c_str(), &info) == 0 &&
         info.st_ino != pid_namespace;
}

// Searches for a process in other pid namespaces. A forked child has its parent's file mapped until
// its first clock call, so the pid decides among the processes that have it.
long search_namespaces(const FileCreator& creator) {
  long found = 0;
  DIR* all = opendir("/proc");
  if (all == nullptr) return 0;
  while (const dirent* entry = readdir(all)) {
    const long pid = std::strtol(entry->d_name, nullptr, 10);
    if (pid > 0 && !is_in_another(pid, creator.pid_namespace) &&
        maps_file(pid, creator) == Liveness::running &&
        (creator.pid == 0 || inner_number(proc(pid)) == creator.pid)) {
      found = pid;
      break;
    }
  }
  closedir(all);
  return found;
}

}  // namespace

std::vector<Task> tasks_of(long pid, bool own_namespace) {
  std::vector<Task> out;
  DIR* all = opendir((proc(pid) + "/task").c_str());
  if (all == nullptr) return out;
  while (const dirent* entry = readdir(all)) {
    const long tid = std::strtol(entry->d_name, nullptr, 10);
    if (tid > 0)
      out.push_back(
          {own_namespace ? static_cast<std::uint32_t>(tid) : inner_number(task(pid, tid)), tid});
  }
  closedir(all);
  return out;
}

std::string task_name(long pid, long tid) {
  std::string name;
  if (read_file(task(pid, tid) + "/comm", name) != 0) return "";
  if (name.ends_with('\n')) name.pop_back();
  return name;
}

std::uint64_t start_ticks_of(long pid) {
  std::string stat;
  if (read_file(proc(pid) + "/stat", stat) != 0) return 0;
  const std::size_t state = stat.rfind(')') + 2;
  return state < stat.size() && (stat[state] == 'Z' || stat[state] == 'X') ? 0
                                                                           : start_ticks_in(stat);
}

Liveness maps_file(long pid, const FileCreator& creator) {
  std::string maps;
  const int error = read_file(proc(pid) + "/maps", maps);
  std::istringstream lines(maps);
  for (std::string line; std::getline(lines, line);) {
    if (names_file(line, creator)) return Liveness::running;
  }
  return error == 0 || error == ENOENT || error == ESRCH ? Liveness::gone : Liveness::unknown;
}

Descriptor memory_of_segment(int id, std::uint64_t ipc_namespace, std::uint64_t& address,
                             std::uint64_t& size) {
  const FileCreator creator{kSegmentName, 0, static_cast<ino_t>(id), 0, 0, 0};
  Descriptor found;
  DIR* all = opendir("/proc");
  if (all == nullptr) return found;
  while (const dirent* entry = readdir(all)) {
    const long pid = std::strtol(entry->d_name, nullptr, 10);
    struct stat info;
    if (pid <= 0 || stat((proc(pid) + "/ns/ipc").c_str(), &info) != 0 ||
        info.st_ino != ipc_namespace)
      continue;
    std::istringstream lines(content_of(proc(pid) + "/maps"));
    for (std::string line; std::getline(lines, line);) {
      unsigned long long start = 0;
      unsigned long long end = 0;
      if (!names_file(line, creator) || std::sscanf(line.c_str(), "%llx-%llx", &start, &end) != 2)
        continue;
      address = start;
      size = end - start;
      found = Descriptor(open((proc(pid) + "/mem").c_str(), O_RDONLY | O_CLOEXEC));
      break;
    }
    if (found.get() >= 0) break;
  }
  closedir(all);
  return found;
}

Liveness life_of(const FileCreator& creator, long& pid) {
  pid = creator.pid;
  if (creator.pid_namespace != pid_namespace() || creator.pid == 0) {
    if (const long found = search_namespaces(creator); found != 0) {
      pid = found;
      return Liveness::running;
    }
    return pid_namespace() == kInitialNamespace && geteuid() == 0 ? Liveness::gone
                                                                  : Liveness::unknown;
  }
  if (pid <= 0 || (kill(static_cast<pid_t>(pid), 0) != 0 && errno == ESRCH)) return Liveness::gone;
  const Liveness life = maps_file(pid, creator);
  if (life != Liveness::unknown) return life;
  if (creator.name == kSegmentName)
    return Liveness::running;  // the process exists, and some process has the segment
  // A process in another time namespace sees another start than we do, so a different start proves
  // nothing.
  std::string stat;
  const int error = read_file(proc(pid) + "/stat", stat);
  if (error == ENOENT || error == ESRCH)
    return kill(static_cast<pid_t>(pid), 0) != 0 && errno == ESRCH ? Liveness::gone
                                                                   : Liveness::unknown;
  return error == 0 && start_ticks_in(stat) == creator.start_ticks ? Liveness::running
                                                                   : Liveness::unknown;
}

std::vector<long> all_processes() {
  std::vector<long> out;
  DIR* const all = opendir("/proc");
  if (all == nullptr) return out;
  while (const dirent* entry = readdir(all)) {
    if (const auto pid = process_id(entry->d_name)) out.push_back(*pid);
  }
  closedir(all);
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace clockshim::cli
