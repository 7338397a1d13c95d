// The kernel's number of the calling thread, as gettid(2) tells it, without the system call. The C
// library keeps it in each thread's control block, and tells debuggers where (libthread_db).
// pthread_getcpuclockid(3), which has the number in its answer, is no way: newer glibc (seen in
// sources of 2025) blocks signals and takes a lock in it.
#pragma once

#include <cstdint>
#include <string>

namespace clockshim {

// Asks the C library where, and the kernel whether that is right. At start: makes a system call.
// Until then, and where the answer is no, numbers are not known.
void find_thread_ids() noexcept;

// 0: not known. Async-signal-safe. In a raw clone that shares its parent's control block, or has a
// copy of it, the parent's.
std::uint32_t this_thread_id() noexcept;

// The name of a thread of this process (prctl(2), PR_SET_NAME); "": there is none of this number,
// or /proc does not number processes as we are numbered. By system calls: for the exit report.
std::string name_of_thread(std::uint32_t tid);

}  // namespace clockshim
