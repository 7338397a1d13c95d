#include "os/process.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <cstring>

namespace clockshim {

std::uint64_t process_start_ticks() noexcept {
  char text[1024];
  const int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  const ssize_t length = read(fd, text, sizeof text - 1);
  close(fd);
  if (length <= 0) return 0;
  text[length] = '\0';
  // The program's name, field 2, may contain anything, even blanks and parentheses. The last
  // parenthesis ends it.
  const char* at = std::strrchr(text, ')');
  constexpr int kFieldsBehindName = 20;
  for (int field = 0; at != nullptr && field < kFieldsBehindName; ++field)
    at = std::strchr(at + 1, ' ');
  std::uint64_t ticks = 0;
  if (at != nullptr) std::from_chars(at + 1, text + length, ticks);
  return ticks;
}

std::uint64_t pid_namespace() noexcept {
  struct stat info;
  return stat("/proc/self/ns/pid", &info) == 0 ? info.st_ino : 0;
}

}  // namespace clockshim
