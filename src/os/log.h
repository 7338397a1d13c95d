// Messages to the operator: one line each, prefixed "clockshim: ", written to descriptor 2 by one
// write. Only at start and at exit: what happens inside a clock call is counted and told in the
// report. log.cpp alone includes spdlog.
#pragma once

#include <string>
#include <string_view>

#include "os/settings.h"

namespace clockshim {

// Says it if `level` is within `limit`. Allocates. Waits for a second at most, and never writes to
// a descriptor 2 that is not what it was when remember_stderr() was called.
void say(LogLevel level, LogLevel limit, const std::string& message) noexcept;

// Notes which file descriptor 2 is, for daemons that close it and open something else in its place.
void remember_stderr() noexcept;

// Whether descriptor 2 is still that file. False if it was closed, now or at start.
bool stderr_is_still_ours() noexcept;

// All of `text` to a descriptor, over short writes and EINTR, and without a signal of writing's. 0,
// or the errno that ended it. Waits for a slow reader as long as it takes, but for a non-blocking
// descriptor that is full a second.
int write_all(int fd, const std::string& text) noexcept;

// The same for who may not wait: a second in all for a pipe, a socket or a terminal that is full,
// blocking or not; then ETIMEDOUT. The signals of writing are to be held by the caller
// (os/held_signals.h).
int write_within_a_second(int fd, std::string_view text) noexcept;

}  // namespace clockshim
