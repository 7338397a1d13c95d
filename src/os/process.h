// What the kernel reports about processes. Async-signal-safe, but for executable_path().
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace clockshim {

// When a process started, in clock ticks since boot, from the content of its /proc/PID/stat
// (proc(5), field 22). 0: the content is "" or malformed.
std::uint64_t start_ticks_in(std::string_view stat) noexcept;

// When this process started. Together with the pid it identifies a process for good; exec does not
// change it. 0 if /proc can't be read.
std::uint64_t process_start_ticks() noexcept;

// The inode of /proc/self/ns/pid; 0 if /proc can't be read.
std::uint64_t pid_namespace() noexcept;

// The path of this process's program, as /proc/self/exe has it; without /proc, the absolute path
// that it was started by, or "".
std::string executable_path();

}  // namespace clockshim
