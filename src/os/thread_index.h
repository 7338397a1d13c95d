// A small number for each live thread, so that per-thread state can stand in static memory: no allocation at any call. A thread is
// known by its thread pointer. When it ends its number goes to the next one, which takes over what stands there.
#pragma once

#include <atomic>
#include <cstdint>

#include "arch/counter.h"
#include "base/attributes.h"

namespace clockshim {

// Threads with state of their own. What more there are at one time share overflow state; docs/limits.md says what that costs.
inline constexpr unsigned kMaxThreads = 1024;
inline constexpr unsigned kNoThread = kMaxThreads;  // the registry is full

// Registry of thread pointers, open addressing. Async-signal-safe; lock-free; valid when all zero.
class ThreadRegistry {
 public:
  // The number of the thread with this pointer, 0 to kMaxThreads - 1, or kNoThread. The same pointer: the same number, until it
  // is released. `fresh`: it had none.
  unsigned index_of(std::uintptr_t thread_pointer, bool& fresh) noexcept {
    fresh = false;
    for (unsigned attempt = 0; attempt < kMaxThreads; ++attempt) {  // each one lost to another thread, which found its own
      unsigned vacant = kNoThread;
      for (unsigned probe = 0; probe < kMaxThreads; ++probe) {
        const unsigned slot = (home(thread_pointer) + probe) % kMaxThreads;
        const std::uintptr_t owner = owners_[slot].load(std::memory_order_acquire);
        if (owner == thread_pointer) return slot;
        if (owner <= kReleased && vacant == kNoThread) vacant = slot;
        if (owner == 0) break;
      }
      if (vacant == kNoThread) return kNoThread;
      std::uintptr_t there = owners_[vacant].load(std::memory_order_relaxed);
      fresh = there <= kReleased && owners_[vacant].compare_exchange_strong(there, thread_pointer, std::memory_order_acq_rel);
      if (fresh) return vacant;
    }
    return kNoThread;
  }

  // The thread with this pointer has ended. What it wrote is seen by whoever gets its number next.
  void release(std::uintptr_t thread_pointer) noexcept {
    for (unsigned probe = 0; probe < kMaxThreads; ++probe) {
      std::atomic<std::uintptr_t>& owner = owners_[(home(thread_pointer) + probe) % kMaxThreads];
      const std::uintptr_t there = owner.load(std::memory_order_relaxed);
      if (there == 0) return;
      // A signal handler may have taken a second number while the first was being taken: on to the end.
      if (there == thread_pointer) owner.store(kReleased, std::memory_order_release);
    }
  }

  // In a forked child there is one thread only.
  void release_all_but(std::uintptr_t thread_pointer) noexcept {
    for (auto& owner : owners_) {
      const std::uintptr_t there = owner.load(std::memory_order_relaxed);
      if (there > kReleased && there != thread_pointer) owner.store(kReleased, std::memory_order_relaxed);
    }
  }

 private:
  static constexpr std::uintptr_t kReleased = 1;  // looked past: the one that is looked for may stand behind it

  static unsigned home(std::uintptr_t thread_pointer) noexcept {
    static_assert(kMaxThreads == 1U << (64 - 54));
    return static_cast<unsigned>((thread_pointer >> 6) * 0x9E3779B97F4A7C15ULL >> 54);
  }

  std::atomic<std::uintptr_t> owners_[kMaxThreads]{};
};

inline constinit ThreadRegistry g_threads;

// This thread's number. About 10 ns: for the slow side only.
unsigned this_thread_index() noexcept;

// From now on each thread that has a number gives it back when it ends, after `ended` was called in it. At start only. False: the
// C library has no cheap place left to note it in; then numbers come free when the C library reuses a thread's stack.
bool release_at_thread_end(void (*ended)()) noexcept;

}  // namespace clockshim
