#include "os/log.h"

#define SPDLOG_NO_THREAD_ID
#define SPDLOG_NO_ATOMIC_LEVELS
#define SPDLOG_NO_TLS
#include <spdlog/logger.h>
#include <spdlog/sinks/sink.h>
#include <unistd.h>

#include <memory>

#include "os/held_signals.h"
#include "os/write.h"

namespace clockshim {
namespace {

// Writes each message by one write, so that lines of several processes do not mix. The form of a
// line is fixed here: spdlog's formatter of patterns brings 140 classes along, and each of their
// tables is relocated at the start of each process.
class DescriptorSink final : public spdlog::sinks::sink {
  void log(const spdlog::details::log_msg& message) override {
    constexpr std::string_view kPrefix = "clockshim: ";
    spdlog::memory_buf_t line;
    line.append(kPrefix.data(), kPrefix.data() + kPrefix.size());
    line.append(message.payload.data(), message.payload.data() + message.payload.size());
    line.push_back('\n');
    const HeldSignals held(HeldSignals::kOfWriting);
    if (stderr_is_still_ours()) write_within_a_second(STDERR_FILENO, {line.data(), line.size()});
  }
  void flush() override {}
  void set_pattern(const std::string& /*pattern*/) override {}
  void set_formatter(std::unique_ptr<spdlog::formatter> /*formatter*/) override {}
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

void say_now(LogLevel level, const std::string& message) noexcept {
  // The logger is made for one message: nothing is registered, and nothing of it lives on in the
  // host.
  auto sink = std::make_shared<DescriptorSink>();
  spdlog::logger logger("clockshim", sink);
  logger.set_level(spdlog::level::trace);
  // The time is given, because otherwise spdlog would read the clock, which is us.
  logger.log(spdlog::log_clock::time_point{}, spdlog::source_loc{}, spdlog_level(level), message);
}

void say_errors(const Settings& settings, const std::string& program) noexcept {
  const auto say_each = [&](const std::vector<std::string>& errors, const char* what_now) {
    for (std::string line : errors) {
      line.append("; ").append(program).append(what_now);
      say(LogLevel::error, settings.log, line);
    }
  };
  say_each(settings.serving_errors, " runs on with real time, uncached");
  say_each(settings.observing_errors, " goes on with the default");
}

}  // namespace clockshim
