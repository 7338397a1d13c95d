#include "cli/livefiles/live_dir.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <regex>

#include "os/base_name.h"
#include "os/process.h"
#include "report/live_sections.h"
#include "report/read_live.h"

namespace clockshim::cli {
namespace {

// A file of this version has at most 1.4 MiB.
constexpr std::size_t kLargest = std::size_t{8} << 20;

// Reads in ascending order, because the state of a record must be read before its fields, which its
// writer writes first. Of a segment it reads only pages that were written to, because reading
// another page would allocate it. Returns the number of bytes; negative: an error.
ssize_t read_whole(const LiveSource& source, std::byte* out, std::size_t size) {
  if (!source.is_segment()) return source.read(out, size, 0);
  std::memset(static_cast<void*>(out), 0, size);
  const ssize_t head = source.read(out, std::min(size, sizeof(live::Header)), 0);
  if (head < static_cast<ssize_t>(sizeof(live::Header))) return head;
  const auto& header = *reinterpret_cast<const live::Header*>(out);
  for (std::size_t at = sizeof header; at < size; at += live::kPage) {
    const std::size_t page = at / live::kPage;
    if (page / 64 >= live::kPagesInWords) break;
    if ((header.pages[page / 64].load(std::memory_order_acquire) >> page % 64 & 1U) == 0) continue;
    if (source.read(out + at, std::min(live::kPage, size - at), at) < 0) return -1;
  }
  return static_cast<ssize_t>(size);
}

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
    int rank;  // 0: the process maps the file; 1: its pid in our namespace; 2: its pid in another
               // one
    std::int64_t started_at;
    std::string path;
  };
  std::vector<Found> all;
  for (const std::string& path : live_files(folders)) {
    std::string problem;
    const auto file = LiveFile::open(path, problem);
    if (!file) continue;
    const live::Header& header = file->header();
    const bool runs = file->life() == Liveness::running && file->pid() == pid;
    const bool numbered = header.pid == pid && (file->life() != Liveness::running || runs);
    if (!runs && !numbered) continue;
    all.push_back({runs                                      ? 0
                   : header.pid_namespace == pid_namespace() ? 1
                                                             : 2,
                   header.started_at, path});
  }
  std::sort(all.begin(), all.end(), [](const Found& a, const Found& b) {
    return a.rank != b.rank ? a.rank < b.rank : a.started_at > b.started_at;
  });
  std::vector<std::string> paths;
  paths.reserve(all.size());
  for (Found& found : all) paths.push_back(std::move(found.path));
  return paths;
}

std::optional<LiveFile> LiveFile::open(const std::string& path, std::string& problem) {
  const auto source = LiveSource::open(path, problem);
  return source ? read(*source, path, problem) : std::nullopt;
}

std::optional<LiveFile> LiveFile::read(const LiveSource& source, const std::string& path,
                                       std::string& problem) {
  const auto refuse = [&](const char* reason) {
    problem = reason;
    return std::nullopt;
  };
  problem.clear();
  const std::size_t slash = path.rfind('/');
  struct stat folder;
  if (stat(slash == std::string::npos ? "." : path.substr(0, slash + 1).c_str(), &folder) != 0)
    return refuse(std::strerror(errno));
  if (geteuid() != 0 && source.owner() != geteuid() && source.owner() != folder.st_uid)
    return refuse("belongs to another user than its folder");
  if (source.size() > kLargest) return refuse("is too large for a live file");

  LiveFile out;
  out.path_ = path;
  out.device_ = source.device();
  out.inode_ = source.inode();
  out.owner_ = source.owner();
  out.segment_ = source.segment();
  const bool in_use = source.in_use();
  // At least one byte, so that there is something to read.
  const auto size = std::max<std::size_t>(1, static_cast<std::size_t>(source.size()));
  out.content_.reset(
      static_cast<std::byte*>(::operator new[](size, std::align_val_t{alignof(live::Header)})));
  const ssize_t length =
      read_whole(source, out.content_.get(), static_cast<std::size_t>(source.size()));
  if (length < 0) return refuse(std::strerror(errno));
  out.size_ = static_cast<std::size_t>(length);
  auto* header = const_cast<live::Header*>(live_header(out.bytes(), problem));
  if (header == nullptr) return std::nullopt;
  out.room_ = source.blocks();
  if (source.is_segment()) {
    if (header->token != source.segment().token) return refuse("is of memory that is gone");
    // No call was counted yet. Or a report has covered everything, and just the name could not be
    // removed (by a daemon that has changed its user). There is nothing to report, or nothing new.
    const live::State state = header->state.load(std::memory_order_relaxed);
    if (state == live::State::none || state == live::State::told) return std::nullopt;
    for (const auto& word : header->pages)
      out.room_ += static_cast<std::uint64_t>(std::popcount(word.load())) * live::kPage;
  }
  out.pid_ = header->pid;
  out.life_ = in_use ? life_of(out.creator(), out.pid_) : Liveness::gone;
  // The start of a forked child is not in its file.
  if (header->start_ticks == 0 && out.life_ == Liveness::running)
    header->start_ticks = start_ticks_of(out.pid_);
  return out;
}

int LiveFile::remove() const {
  struct stat info;
  if (lstat(path_.c_str(), &info) != 0) return errno == ENOENT ? 0 : errno;
  if (info.st_dev != device_ || info.st_ino != inode_) return 0;
  if (unlink(path_.c_str()) != 0 && errno != ENOENT) return errno;
  live::remove_segment(segment_);
  return 0;
}

FileCreator LiveFile::creator() const {
  const live::Header& h = header();
  if (segment_)
    return {kSegmentName, 0, static_cast<ino_t>(segment_.id), h.pid, h.pid_namespace,
            h.start_ticks};
  return {base_name(path_), device_, inode_, h.pid, h.pid_namespace, h.start_ticks};
}

Liveness LiveFile::life_now() const {
  long pid = 0;
  if (segment_) {
    std::string problem;
    const auto source = LiveSource::open(path_, problem);
    if (source && !source->in_use()) return Liveness::gone;
  }
  return life_of(creator(), pid);
}

Report LiveFile::report() const {
  Report report;
  std::string problem;
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  read_live(bytes(), report, problem, life_ == Liveness::running ? from_timespec(now) : Nanos{});
  if (report.state == "running" && life_ == Liveness::gone) report.state = "lost";
  if (report.state == "running" && life_ == Liveness::unknown) report.state = "unknown";
  report.pid = pid_;
  for (ReportThread& thread : report.threads) thread.pid = pid_;
  return report;
}

}  // namespace clockshim::cli
