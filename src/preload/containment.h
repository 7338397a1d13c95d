// Whether the process has put itself behind a seccomp filter, seen as it does so.
//
// To ask the kernel (prctl(2), PR_GET_SECCOMP) is a system call that such a filter may kill for. A filter that was there when the process
// started is another matter: what start needed was let through, and so is what the end needs.
#pragma once

namespace clockshim {

// Has been since start, here or in a process that this one was forked from. Async-signal-safe.
bool self_contained() noexcept;

// Looks up what prctl() and syscall() pass their calls on to. At start, once.
void find_real_containers() noexcept;

}  // namespace clockshim
