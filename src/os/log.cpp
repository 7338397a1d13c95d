#include "os/log.h"

#define SPDLOG_NO_THREAD_ID
#define SPDLOG_NO_ATOMIC_LEVELS
#define SPDLOG_NO_TLS
#include <fcntl.h>
#include <poll.h>
#include <spdlog/details/null_mutex.h>
#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <memory>

#include "os/deadline.h"
#include "os/held_signals.h"

namespace clockshim {
namespace {

dev_t g_stderr_device;
ino_t g_stderr_inode;
bool g_stderr_known;

// Short, because the host is about to end, or has not begun.
constexpr Nanos kPatience{kNanosPerSecond};

// Writes each formatted message by one write, so that lines of several processes do not mix.
class DescriptorSink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    const HeldSignals held(HeldSignals::kOfWriting);
    if (stderr_is_still_ours()) write_within_a_second(STDERR_FILENO, {line.data(), line.size()});
  }
  void flush_() override {}
};

spdlog::level::level_enum spdlog_level(LogLevel level) {
  switch (level) {
    case LogLevel::off: return spdlog::level::off;
    case LogLevel::error: return spdlog::level::err;
    case LogLevel::warn: return spdlog::level::warn;
    case LogLevel::info: return spdlog::level::info;
    case LogLevel::debug: return spdlog::level::debug;
  }
  return spdlog::level::off;
}

}  // namespace

void say(LogLevel level, LogLevel limit, const std::string& message) noexcept {
  if (limit == LogLevel::off || level > limit) return;
  // The logger is made for one message: nothing is registered, and nothing of it lives on in the
  // host.
  auto sink = std::make_shared<DescriptorSink>();
  sink->set_formatter(std::make_unique<spdlog::pattern_formatter>("clockshim: %v"));
  spdlog::logger logger("clockshim", sink);
  logger.set_level(spdlog::level::trace);
  // The time is given, because otherwise spdlog would read the clock, which is us.
  logger.log(spdlog::log_clock::time_point{}, spdlog::source_loc{}, spdlog_level(level), message);
}

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
