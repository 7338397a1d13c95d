// Messages to the operator: one line each, prefixed "clockshim: ", written to descriptor 2 by one
// write. They are only written at start and at exit; what happens inside a clock call is counted,
// and is in the report. log.cpp alone includes spdlog.
#pragma once

#include <string>

#include "os/settings.h"

namespace clockshim {

// Logs the message. Allocates, and waits for at most a second. Never writes to descriptor 2 if that
// is not the file that it was when remember_stderr() was called (os/write.h).
void say_now(LogLevel level, const std::string& message) noexcept;

// Logs the message if `level` is within `limit`. A process with nothing to say never touches the
// code of the logger, which is most of this library's.
inline void say(LogLevel level, LogLevel limit, const std::string& message) noexcept {
  if (limit != LogLevel::off && level <= limit) say_now(level, message);
}

// A line for each setting that can't be used, and what the program does without it.
void say_errors(const Settings& settings, const std::string& program) noexcept;

}  // namespace clockshim
