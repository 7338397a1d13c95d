// Reads files of one line in /proc and /sys. Allocates nothing, so that the library can use it.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cstddef>
#include <string_view>

namespace clockshim {

// The file's first bytes, as many as `buffer` takes, without the newline at their end. "" if it
// can't be read. The result is a part of `buffer`.
template <std::size_t N>
std::string_view kernel_line(const char* path, char (&buffer)[N]) noexcept {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return "";
  const ssize_t length = read(fd, buffer, N);
  close(fd);
  std::string_view line(buffer, length < 0 ? 0 : static_cast<std::size_t>(length));
  while (!line.empty() && (line.back() == '\n' || line.back() == ' ')) line.remove_suffix(1);
  return line;
}

}  // namespace clockshim
