#include "cli/livefiles/cmd_gc.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cli/console/command_line.h"
#include "cli/console/output.h"
#include "cli/livefiles/live_dir.h"
#include "cli/livefiles/live_process.h"
#include "live/segment.h"
#include "os/descriptor.h"
#include "os/log.h"
#include "os/process.h"
#include "report/text.h"

namespace clockshim::cli {
namespace {

// Creating a file takes less than a millisecond, so an older temporary file was left behind.
constexpr std::time_t kMinute = 60;

struct Dead {
  std::string path;
  dev_t device = 0;
  ino_t inode = 0;
  std::uint64_t room = 0;
  live::Segment segment{};  // the segment that the link names, if any
};

// Whether its owner did not finish the file: the place of the magic is still zero, or holds the
// magic.
bool looks_unfinished(const std::string& path) {
  const Descriptor file(
      open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (file.get() < 0) return false;
  char head[sizeof live::kMagic] = {};
  const ssize_t length = read(file.get(), head, sizeof head);
  const std::string_view seen(head, sizeof head);
  return length >= 0 && (seen == std::string_view(live::kMagic, sizeof head) ||
                         seen == std::string_view("\0\0\0\0\0\0\0\0", sizeof head));
}

bool is_left_behind(const std::string& path, const std::string& name, Dead& out) {
  struct stat info;
  struct stat folder;
  if (lstat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode) || info.st_nlink != 1) return false;
  if (stat(path.substr(0, path.rfind('/') + 1).c_str(), &folder) != 0 ||
      (info.st_uid != geteuid() && info.st_uid != folder.st_uid))
    return false;
  if (time(nullptr) - info.st_mtime <= kMinute || !looks_unfinished(path)) return false;
  // Its owner may have been stopped in the middle.
  const FileCreator creator{name,
                            info.st_dev,
                            info.st_ino,
                            static_cast<std::uint32_t>(std::strtoul(name.c_str() + 1, nullptr, 10)),
                            pid_namespace(),
                            0};
  long pid = 0;
  if (life_of(creator, pid) != Liveness::gone) return false;
  out = {path, info.st_dev, info.st_ino, static_cast<std::uint64_t>(info.st_blocks) * 512, {}};
  return true;
}

// Whether the file was made for a child that has ended without a clock call.
bool is_unused(const std::string& path, live::Segment& segment) {
  std::string problem;
  const auto source = LiveSource::open(path, problem);
  if (!source || !source->is_segment() || source->in_use()) return false;
  segment = source->segment();
  return !LiveFile::read(*source, path, problem) && problem.empty();
}

void add_dead_files(const std::string& dir, std::vector<Dead>& dead, unsigned& kept) {
  for (const std::string& path : live_files({dir})) {
    std::string problem;
    const auto file = LiveFile::open(path, problem);
    struct stat info;
    Dead unused;
    if (!file && lstat(path.c_str(), &info) != 0) continue;
    if (!file && (is_dangling(path) || is_unused(path, unused.segment))) {
      dead.push_back({path, info.st_dev, info.st_ino, 0, unused.segment});
    } else if (file ? file->life() != Liveness::gone : problem.empty()) {
      ++kept;  // it is in use, or a child's that has not called yet
    } else if (!file) {
      say(LogLevel::warn, LogLevel::warn, one_line(path) + ": " + problem + "; it stays");
    } else {
      dead.push_back({path, file->device(), file->inode(), file->room(), file->segment()});
    }
  }
  if (DIR* folder = opendir(dir.c_str())) {
    while (const dirent* entry = readdir(folder)) {
      Dead left;
      if (is_temporary_name(entry->d_name) &&
          is_left_behind(dir + (dir.ends_with('/') ? "" : "/") + entry->d_name, entry->d_name,
                         left))
        dead.push_back(left);
    }
    closedir(folder);
  }
}

// Returns 0 or an errno. The name may belong to another file by now.
int remove(const Dead& file) {
  struct stat info;
  if (lstat(file.path.c_str(), &info) != 0) return errno == ENOENT ? 0 : errno;
  if (info.st_dev != file.device || info.st_ino != file.inode) return 0;
  if (unlink(file.path.c_str()) != 0 && errno != ENOENT) return errno;
  live::remove_segment(file.segment);
  return 0;
}

struct GcOptions {
  bool dry_run = false;
  std::string dir;  // "": CLOCKSHIM_DIR, or the folder of our own user
};

int gc(const GcOptions& options) {
  unsigned kept = 0;
  unsigned removed = 0;
  std::uint64_t bytes = 0;
  bool failed = false;
  std::string out;
  std::vector<Dead> dead;
  for (const std::string& dir : live_folders(options.dir)) add_dead_files(dir, dead, kept);
  for (const Dead& file : dead) {
    const int error = options.dry_run ? 0 : remove(file);
    if (error != 0) {
      say(LogLevel::error, LogLevel::error, one_line(file.path) + ": " + std::strerror(error));
      failed = true;
      continue;
    }
    if (options.dry_run) out += one_line(file.path) + "\n";
    ++removed;
    bytes += file.room;
  }
  out += (options.dry_run ? "would remove " : "removed ") + std::to_string(removed) +
         (removed == 1 ? " file, " : " files, ") + grouped(bytes) + " bytes; " +
         std::to_string(kept) + " kept\n";
  // Segments whose folder was removed as a whole.
  const unsigned orphans =
      options.dry_run ? 0 : live::remove_orphans(std::numeric_limits<unsigned>::max());
  if (orphans != 0)
    out += "gave back " + grouped(orphans) +
           " shared memory segments that no live file names any more\n";
  print(out);
  return failed ? 1 : 0;
}

}  // namespace

void add_gc_command(CommandLine& line) {
  auto options = std::make_shared<GcOptions>();
  Command& command = line.add("gc", "clockshim gc [--dry-run] [--dir D]",
                              "remove the live files of processes that are gone",
                              [options] { return gc(*options); });
  command.flag("--dry-run", options->dry_run, "only list the files that would be removed");
  add_folder_option(command, options->dir);
  command.footer(
      "Files in containers stay, though list shows them: they are for gc there, or for the next "
      "start there.\nExit status: 0; 1: a file could not be removed.");
}

}  // namespace clockshim::cli
