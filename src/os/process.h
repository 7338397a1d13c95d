// What the kernel reports about this process. Async-signal-safe.
#pragma once

#include <cstdint>

namespace clockshim {

// When this process started, in clock ticks since boot (proc(5), /proc/PID/stat, field 22).
// Together with the pid it identifies a process for good; exec does not change it. 0 if /proc can't
// be read.
std::uint64_t process_start_ticks() noexcept;

// The inode of /proc/self/ns/pid; 0 if /proc can't be read.
std::uint64_t pid_namespace() noexcept;

}  // namespace clockshim
