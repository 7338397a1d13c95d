// Messages to the operator: one line each, prefixed "clockshim: ", written to descriptor 2 by one write. Only at start
// and at exit: what happens inside a clock call is counted and told in the report. log.cpp alone includes spdlog.
#pragma once

#include <string>

#include "os/settings.h"

namespace clockshim {

// Says it if `level` is within `limit`. Allocates. Never throws, and never writes to a descriptor 2 that is not what it
// was when remember_stderr() was called.
void say(LogLevel level, LogLevel limit, const std::string& message) noexcept;

// Notes which file descriptor 2 is, for daemons that close it and open something else in its place.
void remember_stderr() noexcept;

// Whether descriptor 2 is still that file. False if it was closed, now or at start.
bool stderr_is_still_ours() noexcept;

// All of `text` to a descriptor, over short writes, EINTR, a full pipe (for a second), and without SIGPIPE. 0, or the errno
// that ended it.
int write_all(int fd, const std::string& text) noexcept;

}  // namespace clockshim
