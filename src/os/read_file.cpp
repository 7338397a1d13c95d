#include "os/read_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "os/descriptor.h"

namespace clockshim {

int read_all(int fd, std::string& out, std::size_t most) {
  char part[1 << 16];
  for (;;) {
    const ssize_t got = read(fd, part, sizeof part);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno;
    if (got == 0) return 0;
    const std::size_t kept = std::min(most, static_cast<std::size_t>(got));
    out.append(part, kept);
    most -= kept;
    if (kept < static_cast<std::size_t>(got)) return EFBIG;
  }
}

int read_file(const std::string& path, std::string& out, std::size_t most) {
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  return file.get() < 0 ? errno : read_all(file.get(), out, most);
}

std::string content_of(const std::string& path) {
  std::string text;
  read_file(path, text);
  return text;
}

}  // namespace clockshim
