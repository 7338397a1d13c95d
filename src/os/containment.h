// Whether the process has put itself behind a seccomp filter.
//
// Asking the kernel (prctl(2), PR_GET_SECCOMP) is a system call for which such a filter may kill.
// So the installation is observed when it happens (preload/containment.cpp). A filter that was
// there when the process started is different: it allowed what start needed, and allows the same
// later.
#pragma once

#include <atomic>

namespace clockshim {

inline constinit std::atomic<bool> g_self_contained{false};

// Whether the process has confined itself since start, or was forked from one that had. From then
// on our code makes no system call that the host has not asked for. Async-signal-safe.
inline bool self_contained() noexcept { return g_self_contained.load(std::memory_order_relaxed); }

}  // namespace clockshim
