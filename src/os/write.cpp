#include "os/write.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>

#include "os/deadline.h"
#include "os/held_signals.h"

namespace clockshim {
namespace {

dev_t g_stderr_device;
ino_t g_stderr_inode;
bool g_stderr_known;

// Short, because the host is about to end, or has not begun.
constexpr Nanos kPatience{kNanosPerSecond};

}  // namespace

void remember_stderr() noexcept {
  struct stat now;
  g_stderr_known = fstat(STDERR_FILENO, &now) == 0;
  g_stderr_device = now.st_dev;
  g_stderr_inode = now.st_ino;
}

bool stderr_is_still_ours() noexcept {
  struct stat now;
  return g_stderr_known && fstat(STDERR_FILENO, &now) == 0 && now.st_dev == g_stderr_device &&
         now.st_ino == g_stderr_inode;
}

int write_all(int fd, const std::string& text) noexcept {
  const HeldSignals held(HeldSignals::kOfWriting);
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t written = write(fd, text.data() + done, text.size() - done);
    if (written >= 0) {
      done += static_cast<std::size_t>(written);
    } else if (errno == EAGAIN) {
      pollfd ready{fd, POLLOUT, 0};
      if (poll(&ready, 1, static_cast<int>(kPatience.raw() / 1'000'000)) <= 0) return EAGAIN;
    } else if (errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

int write_within_a_second(int fd, std::string_view text) noexcept {
  struct stat info;
  if (fstat(fd, &info) != 0) return errno;
  // A file is never full, and what is written at once stays together. Elsewhere write as much as
  // surely fits once poll() reports room (pipe(7)), up to the end of a line, so that no text of
  // another process comes in between.
  const bool file = S_ISREG(info.st_mode);
  const bool socket = S_ISSOCK(info.st_mode);
  const Deadline deadline(kPatience);
  while (!text.empty()) {
    std::string_view piece = text;
    if (!file) {
      pollfd ready{fd, POLLOUT, 0};
      const auto millis = static_cast<int>((deadline.left().raw() + 999'999) / 1'000'000);
      if (millis == 0 || (poll(&ready, 1, millis) == 0)) return ETIMEDOUT;
      piece = text.substr(0, PIPE_BUF);
      if (piece.size() < text.size()) piece = piece.substr(0, piece.rfind('\n') + 1);
      if (piece.empty()) piece = text.substr(0, PIPE_BUF);
    }
    const ssize_t written = socket
                                ? send(fd, piece.data(), piece.size(), MSG_DONTWAIT | MSG_NOSIGNAL)
                                : write(fd, piece.data(), piece.size());
    if (written > 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
    } else if (written == 0 || (errno != EINTR && errno != EAGAIN)) {
      return written == 0 ? EIO : errno;
    }
  }
  return 0;
}

}  // namespace clockshim
