#include "cli/live_dir.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <regex>

#include "cli/live_process.h"
#include "report/live_sections.h"
#include "report/read_live.h"

namespace clockshim::cli {
namespace {

// One of this version has 1.4 MiB at the most.
constexpr std::size_t kLargest = std::size_t{8} << 20;

// Up to `size` bytes from the start, in ascending order: a record's state is read before its fields, as its writer wrote it after
// them. Fewer where the file has been cut. -1: an error.
ssize_t read_all(int fd, std::byte* out, std::size_t size) {
  std::size_t done = 0;
  while (done < size) {
    const ssize_t n = pread(fd, out + done, size - done, static_cast<off_t>(done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return -1;
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
  }
  return static_cast<ssize_t>(done);
}

std::string base_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

}  // namespace

bool is_live_name(const std::string& name) {
  static const std::regex kPattern("[1-9][0-9]{0,9}-[0-9a-f]{1,16}(\\.[0-9]{1,9})?\\.live");
  return std::regex_match(name, kPattern);
}

bool is_temporary_name(const std::string& name) {
  static const std::regex kPattern("\\.[1-9][0-9]{0,9}-[0-9a-f]{1,16}");
  return std::regex_match(name, kPattern);
}

std::vector<std::string> live_files(const Folders& folders) {
  std::vector<std::string> paths;
  for (const std::string& dir : folders) {
    const std::string front = dir.ends_with('/') ? dir : dir + "/";
    const auto first = static_cast<std::ptrdiff_t>(paths.size());
    DIR* folder = opendir(dir.c_str());
    if (folder == nullptr) continue;
    while (const dirent* entry = readdir(folder)) {
      if (is_live_name(entry->d_name)) paths.push_back(front + entry->d_name);
    }
    closedir(folder);
    std::sort(paths.begin() + first, paths.end());
  }
  return paths;
}

std::vector<std::string> live_files_of(long pid, const Folders& folders) {
  struct Found {
    int rank;  // its own, by what is mapped; of that number, in our namespace; of that number, in another one
    std::int64_t started_at;
    std::string path;
  };
  std::vector<Found> all;
  for (const std::string& path : live_files(folders)) {
    std::string problem;
    const auto file = LiveFile::open(path, problem);
    if (!file) continue;
    const live::Header& header = file->header();
    const bool runs = file->life() == Life::running && file->pid() == pid;
    const bool numbered = header.pid == pid && (file->life() != Life::running || runs);
    if (!runs && !numbered) continue;
    all.push_back({runs ? 0 : header.pid_namespace == own_pid_namespace() ? 1 : 2, header.started_at, path});
  }
  std::sort(all.begin(), all.end(),
            [](const Found& a, const Found& b) { return a.rank != b.rank ? a.rank < b.rank : a.started_at > b.started_at; });
  std::vector<std::string> paths;
  paths.reserve(all.size());
  for (Found& found : all) paths.push_back(std::move(found.path));
  return paths;
}

// A FIFO would have us wait for its writer, and a device might do anything.
Descriptor LiveFile::descriptor(const std::string& path, std::string& problem) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  problem = file.get() >= 0 ? "" : errno == ELOOP ? "is a symbolic link" : std::strerror(errno);
  return file;
}

std::optional<LiveFile> LiveFile::open(const std::string& path, std::string& problem) {
  const Descriptor file = descriptor(path, problem);
  return file.get() < 0 ? std::nullopt : read(file, path, problem);
}

std::optional<LiveFile> LiveFile::read(const Descriptor& file, const std::string& path, std::string& problem) {
  const auto refuse = [&](const char* reason) {
    problem = reason;
    return std::nullopt;
  };
  problem.clear();
  struct stat info;
  if (fstat(file.get(), &info) != 0) return refuse(std::strerror(errno));
  if (!S_ISREG(info.st_mode)) return refuse("is no plain file");
  const std::size_t slash = path.rfind('/');
  struct stat folder;
  if (stat(slash == std::string::npos ? "." : path.substr(0, slash + 1).c_str(), &folder) != 0) return refuse(std::strerror(errno));
  if (geteuid() != 0 && info.st_uid != geteuid() && info.st_uid != folder.st_uid) return refuse("belongs to another user than its folder");
  if (static_cast<std::uint64_t>(info.st_size) > kLargest) return refuse("is too large for a live file");

  LiveFile out;
  out.path_ = path;
  out.device_ = info.st_dev;
  out.inode_ = info.st_ino;
  out.owner_ = info.st_uid;
  out.room_ = static_cast<std::uint64_t>(info.st_blocks) * 512;
  // One byte at least, so that there is something to look at.
  const auto size = std::max<std::size_t>(1, static_cast<std::size_t>(info.st_size));
  out.content_.reset(static_cast<std::byte*>(::operator new[](size, std::align_val_t{alignof(live::Header)})));
  const ssize_t length = read_all(file.get(), out.content_.get(), static_cast<std::size_t>(info.st_size));
  if (length < 0) return refuse(std::strerror(errno));
  out.size_ = static_cast<std::size_t>(length);
  const live::Header* header = live_header(out.bytes(), problem);
  if (header == nullptr) return std::nullopt;
  out.life_ = life_of(out.maker(), out.pid_);
  return out;
}

Maker LiveFile::maker() const { return {base_name(path_), device_, inode_, header().pid, header().pid_namespace, header().start_ticks}; }

Life LiveFile::life_now() const {
  long pid = 0;
  return life_of(maker(), pid);
}

Report LiveFile::report() const {
  Report report;
  std::string problem;
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  read_live(bytes(), report, problem, life_ == Life::running ? from_timespec(now) : Nanos{});
  if (report.state == "running" && life_ == Life::gone) report.state = "lost";
  if (report.state == "running" && life_ == Life::unknown) report.state = "unknown";
  report.pid = pid_;
  for (ReportThread& thread : report.threads) thread.pid = pid_;
  return report;
}

}  // namespace clockshim::cli
