#include "live/folder.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "live/segment.h"
#include "os/raw_syscall.h"

namespace clockshim::live {
namespace {

constexpr unsigned kRemovedAtOnce = 4 * kFilesPerLook;

// The kernel's record of getdents64(2).
struct Entry {
  std::uint64_t inode;
  std::int64_t offset;
  std::uint16_t size;
  std::uint8_t type;
  char name[1];
};

// Calls f(name) for each live file, until it returns false.
template <class F>
void for_each_file(int folder, F f) {
  alignas(Entry) char buffer[1024]{};
  lseek(folder, 0, SEEK_SET);
  for (long length; (length = raw_syscall(SYS_getdents64, folder, reinterpret_cast<long>(buffer),
                                          sizeof buffer)) > 0;) {
    for (long at = 0; at < length;) {
      const auto* entry = reinterpret_cast<const Entry*>(buffer + at);
      const char* const ending = std::strrchr(entry->name, '.');
      if (entry->name[0] != '.' && ending != nullptr && std::strcmp(ending, kEnding) == 0 &&
          !f(entry->name))
        return;
      at += entry->size;
    }
  }
}

// Whether no process has the link's segment attached any more. Only for a link of this IPC
// namespace: the ids of another one mean nothing here.
bool is_gone(int folder, const char* name, std::uint64_t ipc_namespace, Segment& segment) {
  if (!read_link(folder, name, segment) || segment.ipc_namespace != ipc_namespace) return false;
  const SegmentFacts facts = facts_of(segment);
  return !facts.there || (facts.attached == 0 && facts.owner == geteuid());
}

// Whether the segment was counted in under a `clockshim run` whose command is still there. (In
// another pid namespace the number may be another process's: then the file just stays longer.)
bool is_awaited(const Segment& segment) {
  const auto* region = static_cast<const Region*>(attach_segment(segment, false));
  if (region == nullptr) return false;
  const std::uint32_t command = region->header.run_pid;
  detach_segment(region);
  if (command == 0) return false;
  char path[32] = "/proc/";
  *std::to_chars(path + std::strlen(path), path + sizeof path - 1, command).ptr = '\0';
  return access(path, F_OK) == 0;
}

}  // namespace

void bound_folder(const char* folder, std::uint64_t ipc_namespace) noexcept {
  const int fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return;
  unsigned files = 0;
  for_each_file(fd, [&](const char*) { return ++files <= kKeptForRuns; });
  if (files > kKeptFiles) {
    const bool crowded = files > kKeptForRuns;
    const unsigned most = std::min(files - kKeptFiles, kRemovedAtOnce);
    unsigned removed = 0;
    for_each_file(fd, [&](const char* name) {
      Segment segment;
      if (is_gone(fd, name, ipc_namespace, segment) && (crowded || !is_awaited(segment)) &&
          unlinkat(fd, name, 0) == 0) {
        remove_segment(segment);
        ++removed;
      }
      return removed < most;
    });
  }
  close(fd);
}

unsigned tidy_behind_exec(const char* folder, const Header& self,
                          std::uint64_t ipc_namespace) noexcept {
  for (unsigned number = 0;; ++number) {
    char path[kLongestPath];
    link_name(self, number, folder, path, sizeof path);
    Segment segment;
    if (!read_link(AT_FDCWD, path, segment)) return number;
    if (!is_gone(AT_FDCWD, path, ipc_namespace, segment)) continue;
    const auto* region = static_cast<const Region*>(attach_segment(segment, false));
    const bool counted =
        region != nullptr && region->header.counted.load(std::memory_order_relaxed) != 0;
    if (region != nullptr) detach_segment(region);
    if (counted || unlink(path) != 0) continue;
    remove_segment(segment);
  }
}

}  // namespace clockshim::live
