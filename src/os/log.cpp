#include "os/log.h"

#define SPDLOG_NO_THREAD_ID
#define SPDLOG_NO_ATOMIC_LEVELS
#define SPDLOG_NO_TLS
#include <poll.h>
#include <spdlog/details/null_mutex.h>
#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <memory>

namespace clockshim {
namespace {

dev_t g_stderr_device;
ino_t g_stderr_inode;
bool g_stderr_known;

// A non-blocking descriptor 2 that is full is waited for, but no longer than a second in all: the host is about to end.
constexpr int kPatienceMillis = 100;
constexpr int kPatienceTurns = 10;

// One formatted message, one write: lines of several processes do not mix.
class DescriptorSink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    if (stderr_is_still_ours()) write_all(STDERR_FILENO, std::string(line.data(), line.size()));
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
  try {
    // A logger of our own for the one message: nothing registered, nothing that lives on in the host.
    auto sink = std::make_shared<DescriptorSink>();
    sink->set_formatter(std::make_unique<spdlog::pattern_formatter>("clockshim: %v"));
    spdlog::logger logger("clockshim", sink);
    logger.set_level(spdlog::level::trace);
    // The time is given: else spdlog would ask the clock, which is us.
    logger.log(spdlog::log_clock::time_point{}, spdlog::source_loc{}, spdlog_level(level), message);
  } catch (...) {
    // Out of memory in the host: it has other worries than our message.
  }
}

void remember_stderr() noexcept {
  struct stat now;
  g_stderr_known = fstat(STDERR_FILENO, &now) == 0;
  g_stderr_device = now.st_dev;
  g_stderr_inode = now.st_ino;
}

bool stderr_is_still_ours() noexcept {
  struct stat now;
  return g_stderr_known && fstat(STDERR_FILENO, &now) == 0 && now.st_dev == g_stderr_device && now.st_ino == g_stderr_inode;
}

int write_all(int fd, const std::string& text) noexcept {
  // A reader that has gone must not end the host: SIGPIPE is blocked here, and taken back if we caused it.
  sigset_t pipe_only;
  sigset_t before;
  sigset_t pending;
  sigemptyset(&pipe_only);
  sigaddset(&pipe_only, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe_only, &before);
  sigpending(&pending);
  int error = 0;
  int waits = 0;
  std::size_t done = 0;
  while (done < text.size() && error == 0) {
    const ssize_t written = write(fd, text.data() + done, text.size() - done);
    if (written >= 0) {
      done += static_cast<std::size_t>(written);
    } else if (errno == EAGAIN && waits++ < kPatienceTurns) {
      pollfd ready{fd, POLLOUT, 0};
      poll(&ready, 1, kPatienceMillis);
    } else if (errno != EINTR) {
      error = errno;
    }
  }
  if (error == EPIPE && sigismember(&pending, SIGPIPE) == 0) {
    const timespec at_once{};
    sigtimedwait(&pipe_only, nullptr, &at_once);
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return error;
}

}  // namespace clockshim
