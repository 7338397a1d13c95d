// The process's live file: made at start, one prepared for each child before it is forked, given up
// or left behind at the end.
#pragma once

#include <cstdint>
#include <string>

#include "preload/state.h"

namespace clockshim {

// Fills in the region's header and puts a segment below it, with a name in the folder. "" or, in
// words for the operator, why there is none; then all goes on in private memory: counts are told at
// exit, and by nobody if the process is killed.
std::string open_live_file(const ProcessState& state);

// The same header for private memory, where calls are not counted.
void describe_private_region(const ProcessState& state);

// From the end of the constructor on: the next fork prepares a region for its child, and a clone is
// noticed.
void expect_forks() noexcept;

// Whether the region is this process's own. False in a child of a raw clone, which counts in its
// parent's.
bool region_is_ours() noexcept;

// A call that finds the hot path's word wiped: before start, or the first one of a child that no
// fork handler has seen. There it makes the child count by locked additions in the region that it
// shares with its parent. Makes no system call, loses no call of another thread's or of a signal
// handler's, and may be called by any number of them at the same time.
void follow_clone() noexcept;

// The end in good order, noted in memory. `now`: CLOCK_MONOTONIC in ns; 0 where asking might be
// forbidden.
void mark_ended(std::int64_t now) noexcept;

// Whether others can read what is counted here, also when the process has ended.
bool has_live_file() noexcept;

// A report of all of it was written: the file is not needed any more.
void remove_live_file() noexcept;

// At the end: children's files that nobody has used, or whose reports were written by them.
void tidy_children() noexcept;

}  // namespace clockshim
