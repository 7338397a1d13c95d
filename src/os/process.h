// What the kernel says of this process. Async-signal-safe.
#pragma once

#include <cstdint>

namespace clockshim {

// When this process started, in clock ticks since boot (proc(5), /proc/PID/stat, field 22): with
// the pid it names a process for good; exec leaves it. 0 where /proc can't be read.
std::uint64_t process_start_ticks() noexcept;

// The inode of /proc/self/ns/pid; 0 where /proc can't be read.
std::uint64_t pid_namespace() noexcept;

}  // namespace clockshim
