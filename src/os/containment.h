// Whether the process has put itself behind a seccomp filter.
//
// To ask the kernel (prctl(2), PR_GET_SECCOMP) is a system call that such a filter may kill for: so
// it is seen as it happens (preload/containment.cpp). A filter that was there when the process
// started is another matter: what start needed was let through, and so is what comes later.
#pragma once

#include <atomic>

namespace clockshim {

inline constinit std::atomic<bool> g_self_contained{false};

// Has been since start, here or in a process that this one was forked from. From then on nothing of
// ours makes a system call that the host has not asked for. Async-signal-safe.
inline bool self_contained() noexcept { return g_self_contained.load(std::memory_order_relaxed); }

}  // namespace clockshim
