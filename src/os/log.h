// Messages to the operator: one line each, prefixed "clockshim: ", written to descriptor 2 by one
// write. They are only written at start and at exit; what happens inside a clock call is counted,
// and is in the report. log.cpp alone includes spdlog.
#pragma once

#include <string>
#include <string_view>

#include "os/settings.h"

namespace clockshim {

// Logs the message if `level` is within `limit`. Allocates, and waits for at most a second. Never
// writes to descriptor 2 if that is not the file that it was when remember_stderr() was called.
void say(LogLevel level, LogLevel limit, const std::string& message) noexcept;

// Notes which file descriptor 2 is, because daemons close it and open something else in its place.
void remember_stderr() noexcept;

// Whether descriptor 2 is still that file. False if it was closed, now or at start.
bool stderr_is_still_ours() noexcept;

// Writes all of `text` to a descriptor, through short writes and EINTR, and without raising the
// signals of writing. Returns 0, or the errno that ended it. Waits for a slow reader as long as it
// takes, but only a second for a non-blocking descriptor that is full.
int write_all(int fd, const std::string& text) noexcept;

// Like write_all(), but gives up with ETIMEDOUT after waiting a second in all for a full pipe,
// socket or terminal, blocking or not. The caller must hold the signals of writing
// (os/held_signals.h).
int write_within_a_second(int fd, std::string_view text) noexcept;

}  // namespace clockshim
