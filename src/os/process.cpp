#include "os/process.h"

#include <sys/stat.h>
#include <unistd.h>

#include <charconv>

#include "os/kernel_line.h"

namespace clockshim {

std::uint64_t start_ticks_in(std::string_view stat) noexcept {
  // The program's name, field 2, may contain anything, even blanks and parentheses. The last
  // parenthesis ends it.
  std::size_t at = stat.rfind(')');
  constexpr int kFieldsBehindName = 20;
  for (int field = 0; at != std::string_view::npos && field < kFieldsBehindName; ++field)
    at = stat.find(' ', at + 1);
  std::uint64_t ticks = 0;
  if (at != std::string_view::npos)
    std::from_chars(stat.data() + at + 1, stat.data() + stat.size(), ticks);
  return ticks;
}

std::uint64_t process_start_ticks() noexcept {
  char buffer[1024];
  return start_ticks_in(kernel_line("/proc/self/stat", buffer));
}

std::uint64_t pid_namespace() noexcept {
  struct stat info;
  return stat("/proc/self/ns/pid", &info) == 0 ? info.st_ino : 0;
}

std::string executable_path() {
  char path[4096];
  const ssize_t length = readlink("/proc/self/exe", path, sizeof path);
  return length > 0 ? std::string(path, static_cast<std::size_t>(length)) : "";
}

}  // namespace clockshim
