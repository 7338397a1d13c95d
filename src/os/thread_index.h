// A small number for each live thread, so that per-thread state can stand in static memory: no allocation, no thread
// destructor, no pthread key. A thread is known by its thread pointer. When it has ended, the next thread that the C
// library places on the same stack gets the same number and takes over what stands there (counters go on counting).
#pragma once

#include <atomic>
#include <cstdint>

#include "arch/counter.h"
#include "base/attributes.h"

namespace clockshim {

// Threads with state of their own. What more there are share overflow state; docs/limits.md says what that costs.
inline constexpr unsigned kMaxThreads = 1024;
inline constexpr unsigned kNoThread = kMaxThreads;  // the registry is full

// Registry of thread pointers, open addressing. Async-signal-safe; lock-free; valid when all zero.
class ThreadRegistry {
 public:
  // The number of the thread with this pointer, 0 to kMaxThreads - 1, or kNoThread. The same pointer: the same number.
  unsigned index_of(std::uintptr_t thread_pointer) noexcept {
    const auto home = static_cast<unsigned>((thread_pointer >> 6) * 0x9E3779B97F4A7C15ULL >> 54);
    static_assert(kMaxThreads == 1U << (64 - 54));
    for (unsigned probe = 0; probe < kMaxThreads; ++probe) {
      const unsigned slot = (home + probe) % kMaxThreads;
      std::uintptr_t owner = owners_[slot].load(std::memory_order_relaxed);
      if (owner == 0 && owners_[slot].compare_exchange_strong(owner, thread_pointer, std::memory_order_relaxed)) return slot;
      if (owner == thread_pointer) return slot;
    }
    return kNoThread;
  }

 private:
  std::atomic<std::uintptr_t> owners_[kMaxThreads]{};
};

inline constinit ThreadRegistry g_threads;

// This thread's number. About 10 ns: for the slow side only.
inline unsigned this_thread_index() noexcept { return g_threads.index_of(Arch::thread_pointer()); }

}  // namespace clockshim
