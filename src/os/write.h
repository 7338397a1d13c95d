// Writing all of a text to a descriptor, whatever is behind it, without a signal or a hang for the
// host.
#pragma once

#include <string>
#include <string_view>

namespace clockshim {

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
