#include "os/read_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "os/descriptor.h"

namespace clockshim {

int read_all(int fd, std::string& out, std::size_t most) {
  constexpr std::size_t kPart = 16U << 10;  // not on the stack, which may be small
  for (;;) {
    const std::size_t before = out.size();
    out.resize(before + kPart);
    const ssize_t got = read(fd, &out[before], kPart);
    const std::size_t kept = got < 0 ? 0 : std::min(most, static_cast<std::size_t>(got));
    out.resize(before + kept);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno;
    if (got == 0) return 0;
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
