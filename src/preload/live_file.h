// The process's live file. It is created at start, and at exit it is removed or left behind. Those
// of forked children: forks.h.
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

// Notes an orderly end in the region. `now` is CLOCK_MONOTONIC in ns; 0 if reading it might be
// forbidden.
void mark_ended(std::int64_t now) noexcept;

// Whether other processes can read these counts, even after this process has ended.
bool has_live_file() noexcept;

// Removes the live file, because a report of everything was written.
void remove_live_file() noexcept;

}  // namespace clockshim
