#include "live/folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "live/region.h"

namespace clockshim::live {
namespace {

constexpr unsigned kRemovedAtOnce = 8;
constexpr std::size_t kPage = 4096;
constexpr off_t kFirstEntries = offsetof(Region, threads) + offsetof(ThreadTable, used);

// getdents64(2)'s.
struct Entry {
  std::uint64_t inode;
  std::int64_t offset;
  std::uint16_t size;
  std::uint8_t type;
  char name[1];
};

// Opens a file that is a live file of ours, by its header. -1: it is none.
int open_ours(int folder, const char* name, int flags, Header& header) {
  const int fd = openat(folder, name, flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return -1;
  struct stat info;
  const bool ours = fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_uid == geteuid() &&
                    pread(fd, static_cast<void*>(&header), sizeof header, 0) == sizeof header &&
                    std::memcmp(header.magic, kMagic, sizeof kMagic) == 0;
  if (ours) return fd;
  close(fd);
  return -1;
}

bool is_gone(int folder, const char* name, const Header& self) {
  const auto pid = static_cast<pid_t>(std::strtol(name, nullptr, 10));
  if (pid <= 0 || pid == static_cast<pid_t>(self.pid) || kill(pid, 0) == 0 || errno != ESRCH) return false;
  Header header;
  const int fd = open_ours(folder, name, O_RDONLY, header);
  if (fd >= 0) close(fd);
  return fd >= 0 && header.pid_namespace == self.pid_namespace && header.pid == static_cast<std::uint32_t>(pid);
}

// f(name) for each live file; stops when it says so.
template <class F>
void for_each_file(int folder, F f) {
  alignas(Entry) char buffer[2048];
  lseek(folder, 0, SEEK_SET);
  for (long length; (length = syscall(SYS_getdents64, folder, buffer, sizeof buffer)) > 0;) {
    for (long at = 0; at < length;) {
      const auto* entry = reinterpret_cast<const Entry*>(buffer + at);
      const char* const ending = std::strrchr(entry->name, '.');
      if (entry->name[0] != '.' && ending != nullptr && std::strcmp(ending, kEnding) == 0 && !f(entry->name)) return;
      at += entry->size;
    }
  }
}

bool all_zero(const std::uint64_t (&words)[kPage / sizeof(std::uint64_t)]) {
  for (const std::uint64_t word : words) {
    if (word != 0) return false;
  }
  return true;
}

// Gives pages back that hold nothing.
void punch_holes(int fd) {
  alignas(64) std::uint64_t page[kPage / sizeof(std::uint64_t)];
  for (off_t at = 0; pread(fd, page, sizeof page, at) == sizeof page; at += kPage) {
    if (all_zero(page)) fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, kPage);
  }
}

}  // namespace

void shrink(const char* path) noexcept {
  Header header;
  const int fd = open_ours(AT_FDCWD, path, O_RDWR, header);
  if (fd < 0) return;
  punch_holes(fd);
  close(fd);
}

void bound_folder(const char* folder, const Header& self) noexcept {
  const int fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return;
  unsigned files = 0;
  for_each_file(fd, [&](const char*) { return ++files <= kKeptFiles; });
  unsigned removed = 0;
  if (files > kKeptFiles) {
    for_each_file(fd, [&](const char* name) {
      if (is_gone(fd, name, self) && unlinkat(fd, name, 0) == 0) ++removed;
      return removed < kRemovedAtOnce;
    });
  }
  close(fd);
}

void tidy_behind_exec(const char* folder, const Header& self) noexcept {
  for (unsigned program = 0;; ++program) {
    char path[kLongestPath];
    file_name(self, program, folder, path, sizeof path);
    Header header;
    const int fd = open_ours(AT_FDCWD, path, O_RDWR, header);
    if (fd < 0) return;
    const bool ours = header.pid == self.pid && header.pid_namespace == self.pid_namespace;
    // Threads are given tables in order: where the first has no entry, nothing was counted.
    std::uint64_t entries = 0;
    if (ours && pread(fd, &entries, sizeof entries, kFirstEntries) == sizeof entries && entries == 0) {
      unlink(path);
    } else if (ours) {
      punch_holes(fd);
    }
    close(fd);
  }
}

}  // namespace clockshim::live
