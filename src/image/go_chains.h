// The call chains of Go's wrappers that are walked most. To walk is to wait: each frame's key, rule
// and return address follow from those of the frame before, some 6 ns a frame, and Go has three
// between the vDSO and whoever asks. What a walk would find is known here beforehand, and is only
// compared, all frames at the same time. (callsite/chain_memo.h does so for each thread; here there
// is none to belong to.)
//
// The comparison is exact: it succeeds if and only if a walk would find the same return addresses.
// A chain is never changed once it is there, because somebody may be in the middle of comparing it:
// the first one that is walked often keeps its place for good, and another one that would have the
// same place is walked.
//
// Async-signal-safe and lock-free; any thread may call any function at any time.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/attributes.h"
#include "callsite/stack.h"
#include "live/site_key.h"

namespace clockshim {

// The rule of all of Go's functions that call others: rbp points to the caller's, above which the
// return address stands. The caller's frame may be on another stack.
inline constexpr FrameRule kGoRule{
    .cfa_offset = 16, .saved_frame = -16, .from_frame = true, .other_stack = true};

// The frames behind a Go wrapper's, from the innermost on.
class GoChain {
 public:
  static constexpr unsigned kMostFrames = 5;

  // False: it is too long.
  bool add(const Frame& frame, const Frame& wrapper) noexcept {
    if (frames_ == kMostFrames) return false;
    steps_[frames_++] = {frame.pc, frame.frame - wrapper.frame};
    return true;
  }

  // Whether `wrapper` has this chain behind it, which is not empty.
  [[nodiscard]] CLOCKSHIM_INLINE bool is_behind(const Frame& wrapper) const noexcept {
    std::uintptr_t frame = wrapper.frame;
    // Read a frame's words only after the frames before it were found to be right; otherwise they
    // might not exist. The CPU does not wait for that.
    for (std::uint32_t i = 0;; ++i) {
      if (CLOCKSHIM_UNLIKELY(word_at(frame + sizeof frame) != steps_[i].pc)) return false;
      if (i + 1 == frames_) return true;
      const std::uintptr_t next = wrapper.frame + steps_[i].frame;
      if (CLOCKSHIM_UNLIKELY(word_at(frame) != next)) return false;
      frame = next;
    }
  }

 private:
  struct Step {
    std::uintptr_t pc;     // the return address
    std::uintptr_t frame;  // rbp there, as an offset from the wrapper's
  };
  static std::uintptr_t word_at(std::uintptr_t address) {
    return *reinterpret_cast<const std::uintptr_t*>(address);
  }

  Step steps_[kMostFrames]{};
  std::uint32_t frames_ = 0;
};

class GoChains {
 public:
  // HOT. The key that a call is counted under which the wrapper's call `key` has come from. 0: its
  // chain is not known.
  [[nodiscard]] CLOCKSHIM_INLINE std::uint64_t find(SiteKey key,
                                                    const Frame& wrapper) const noexcept {
    const Known& known = known_[place(key, wrapper)];
    if (CLOCKSHIM_UNLIKELY(known.key.load(std::memory_order_acquire) != key.raw())) return 0;
    return CLOCKSHIM_LIKELY(known.chain.is_behind(wrapper)) ? known.counted_as : 0;
  }

  // Keeps a chain, if its place is free.
  void keep(SiteKey key, const Frame& wrapper, const GoChain& chain, SiteKey counted_as) noexcept {
    Known& known = known_[place(key, wrapper)];
    std::uint64_t free = 0;
    if (!known.key.compare_exchange_strong(free, kBeingWritten, std::memory_order_relaxed)) return;
    known.chain = chain;
    known.counted_as = counted_as.raw();
    known.key.store(key.raw(), std::memory_order_release);
  }

 private:
  static constexpr unsigned kBits = 9;
  static constexpr std::uint64_t kBeingWritten = 1;  // no call's key: nothing returns to address 1

  struct alignas(128) Known {
    std::atomic<std::uint64_t> key{};
    std::uint64_t counted_as = 0;
    GoChain chain;
  };
  static_assert(sizeof(Known) == 128);

  // Stacks of goroutines begin at multiples of 2 KiB, or of more. So a chain is at the same place
  // below the end of each.
  static CLOCKSHIM_INLINE unsigned place(SiteKey key, const Frame& wrapper) noexcept {
    constexpr std::uintptr_t kLeastStack = 2048;
    constexpr unsigned kShift = 16;
    return SiteKey{key.raw() + (wrapper.frame % kLeastStack << kShift)}.home(kBits);
  }

  Known known_[1U << kBits]{};
};

}  // namespace clockshim
