// The process's live file: made at start, followed into forked children, given up or left behind at the end.
#pragma once

#include <cstdint>
#include <string>

#include "preload/state.h"

namespace clockshim {

// Fills in the region's header and puts a file below it. "" or, in words for the operator, why there is none; then all goes on in
// private memory: counts are told at exit, and by nobody if the process is killed.
std::string open_live_file(const ProcessState& state);

// From the end of the constructor on, the next is right to be asked.
void expect_forks() noexcept;

// Whether this process is the one that open_live_file() or the last follow_fork() was called in. False in a forked child that has not
// asked for the time yet: there is nothing of its own in the region, and the file is its parent's.
bool region_is_ours() noexcept;

// The first call of a forked child (and each call before start): gives the child a region of its own, with a file of its own if its parent
// had one, and the hot path its words again. False: this is a signal handler that came in between; count nothing.
// Async-signal-safe.
bool follow_fork() noexcept;

// The end in good order. `told`: a report of all of it was written, so the file is removed; else it stays for `clockshim report`.
void mark_ended() noexcept;
void close_live_file(bool told) noexcept;

}  // namespace clockshim
