// The Python functions of a thread's latest calls, each with its key, so that the names need not be
// read again at each call.
//
// The comparison is exact: the memory of a code object is reused after it is freed, often by the
// next one of the same size, so its address alone proves nothing (CPython::is_still). This is
// private memory (callsite/thread_memos.h), and valid when all zero.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/attributes.h"
#include "base/left_behind.h"
#include "callsite/python/cpython.h"

namespace clockshim {

class CodeMemo {
 public:
  // HOT. Returns the key of the function that has this code; 0: it is not remembered. Only the
  // thread that has this table may call it.
  CLOCKSHIM_INLINE std::uint64_t find(const CPython& python, std::uintptr_t code) const noexcept {
    const Entry& entry = entries_[place(code)];
    const std::uint32_t version = entry.version.load(std::memory_order_acquire);
    const std::uint64_t key = entry.key;
    if (CLOCKSHIM_UNLIKELY(key == 0 || entry.code.code != code || version % 2 != 0 ||
                           !python.is_still(entry.code)))
      return 0;
    std::atomic_signal_fence(std::memory_order_seq_cst);
    return CLOCKSHIM_LIKELY(entry.version.load(std::memory_order_relaxed) == version) ? key : 0;
  }

  // Remembers a function. `top` is an address in a frame that the caller will return to.
  CLOCKSHIM_NOINLINE void remember(const PythonCode& code, std::uint64_t key,
                                   const void* top) noexcept {
    Entry& entry = entries_[place(code.code)];
    // An odd version marks the entry as being written, and meanwhile the key holds the writer's
    // frame. A signal handler that comes in between leaves it alone.
    std::uint32_t version = entry.version.load(std::memory_order_relaxed);
    const std::uintptr_t here = this_frame();
    if (version % 2 != 0 && !is_left_behind(entry.key, here, reinterpret_cast<std::uintptr_t>(top)))
      return;
    version |= 1U;
    entry.version.store(version, std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);
    std::atomic_ref(entry.key).store(here, std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);
    entry.code = code;
    std::atomic_ref(entry.key).store(key, std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);
    entry.version.store(version + 1, std::memory_order_release);
  }

  // Forgets everything. Only the thread that has this table may call it, while no signal handler of
  // it can be writing.
  void forget() noexcept {
    for (Entry& entry : entries_) {
      if (entry.key != 0) entry.key = 0;
      if (entry.version.load(std::memory_order_relaxed) % 2 != 0)
        entry.version.store(0, std::memory_order_relaxed);
    }
  }

 private:
  static constexpr unsigned kBits = 6;
  struct alignas(64) Entry {
    PythonCode code{};
    std::uint64_t key = 0;
    std::atomic<std::uint32_t> version{};
  };
  static_assert(sizeof(Entry) == 64);
  static unsigned place(std::uintptr_t code) noexcept {
    return static_cast<unsigned>(code * 0x9E3779B97F4A7C15ULL >> (64 - kBits));
  }

  Entry entries_[1U << kBits]{};
};

}  // namespace clockshim
