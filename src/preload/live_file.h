// The process's live file. It is created at start, one is prepared for each child before it is
// forked, and at exit it is removed or left behind.
#pragma once

#include <cstdint>
#include <string>

#include "preload/state.h"

namespace clockshim {

// Fills in the region's header and creates its segment, with a link in the folder. Returns "" or,
// in words for the operator, why there is no live file. Then counts are in private memory: they are
// reported at exit, and lost if the process is killed.
std::string open_live_file(const ProcessState& state);

// Fills in the header of a private region, for a process whose calls are not counted.
void describe_private_region(const ProcessState& state);

// Call this at the end of the constructor: from then on each fork prepares a region for its child,
// and clones are noticed.
void expect_forks() noexcept;

// Whether the region is this process's own. False in the child of a raw clone, which counts in its
// parent's region. Meaningful only after expect_forks().
bool region_is_ours() noexcept;

// Handles a call that finds the hot path's mode bits wiped: before start, or in the first call of a
// child that no fork handler has seen. Such a child then counts by locked additions in the region
// that it shares with its parent, and its hot path is enabled again (g_hot_state). Makes no system
// call and loses no call of another thread or of a signal handler. Any number of these may call it
// at the same time.
void follow_clone() noexcept;

// Notes an orderly end in the region. `now` is CLOCK_MONOTONIC in ns; 0 if reading it might be
// forbidden.
void mark_ended(std::int64_t now) noexcept;

// Whether other processes can read these counts, even after this process has ended.
bool has_live_file() noexcept;

// Removes the live file, because a report of everything was written.
void remove_live_file() noexcept;

// At exit: removes children's files that were never used, or whose reports the children have
// written.
void tidy_children() noexcept;

}  // namespace clockshim
