// The kernel's number of the calling thread, as gettid(2) returns it, without the system call. The
// C library keeps it in each thread's control block, and publishes its offset for debuggers
// (libthread_db). pthread_getcpuclockid(3), whose result contains the number, can't be used: newer
// glibc (seen in sources of 2025) blocks signals and takes a lock in it.
#pragma once

#include <cstdint>
#include <string>

namespace clockshim {

// Gets the offset from the C library, and compares with the kernel's answer. At start only: it
// makes a system call. Before that, and if the answers differ, numbers are unknown.
void find_thread_ids() noexcept;

// The number of the calling thread; 0 if it is unknown. Async-signal-safe. In a raw clone that
// shares its parent's control block, or has a copy of it, it is the parent's.
std::uint32_t this_thread_id() noexcept;

// The name of a thread of this process (prctl(2), PR_SET_NAME); "" if no thread has this number, or
// if /proc numbers processes in another namespace. Makes system calls: for the exit report.
std::string name_of_thread(std::uint32_t tid);

}  // namespace clockshim
