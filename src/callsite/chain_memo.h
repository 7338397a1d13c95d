// The call chains that a thread has walked last. To walk is to wait: each frame's key, rule and
// return address follow from those of the frame before. Where the same caller calls again at the
// same place of the stack, what the walk would find is known beforehand, and is only compared, all
// frames at the same time.
//
// Exact: it is taken for the same chain if and only if walking would find the same frames. The rule
// of a frame is fixed by its return address, so a frame is the same if the word there is, and,
// where the rule starts from rbp, that is what it was. Private memory, no part of the live file
// (callsite/thread_memos.h), and right when all zero.
#pragma once

#include <atomic>
#include <cstdint>
#include <limits>

#include "arch/counter.h"
#include "base/attributes.h"
#include "callsite/stack.h"
#include "live/layout.h"
#include "live/site_key.h"

namespace clockshim {

class alignas(64) ChainMemo {
 public:
  static constexpr unsigned kMostFrames = live::kSiteDepth - 2;

  // HOT. Counts a call from `caller` if it comes by the chain that is remembered here.
  CLOCKSHIM_INLINE bool count_again(SiteKey key, const Frame& caller) noexcept {
    return if_same(key.raw(), caller,
                   [](live::ThreadTable::Entry& entry) { Arch::increment(entry.count); });
  }

  // The same for a chain behind whose last frame the interpreter is: that frame's key, and how many
  // there are; 0: it comes by another one.
  CLOCKSHIM_INLINE unsigned find_interpreted(SiteKey key, const Frame& caller,
                                             std::uint64_t& last) noexcept {
    unsigned depth = 0;
    if_same(key.raw() | SiteKey::kRule, caller, [&](const live::ThreadTable::Entry& entry) {
      last = entry.key & ~SiteKey::kRule;
      depth = frames_ + 1;
    });
    return depth;
  }

  // Remembers `depth` frames, walked by rules[0 .. depth - 2], that are counted in `entry`, or
  // whose last one's rule stands there. By the thread that counts here.
  void remember(SiteKey key, const Frame* chain, const FrameRule* rules, unsigned depth,
                live::ThreadTable::Entry& entry) noexcept;

  // Nothing is remembered any more. By the thread that counts here, when nobody can be writing.
  void forget() noexcept {
    key_ = 0;
    writer_ = 0;
    version_.store(0, std::memory_order_relaxed);
  }

 private:
  // f(entry) with that of the chain that is remembered under `key`, if `caller` comes by it. With
  // SiteKey::kRule: one that ends in a rule, so that it is never taken for one that is counted.
  template <class F>
  CLOCKSHIM_INLINE bool if_same(std::uint64_t key, const Frame& caller, F f) noexcept {
    const std::uint32_t version = version_.load(std::memory_order_acquire);
    if (CLOCKSHIM_UNLIKELY(key_ != key || version % 2 != 0)) return false;
    // A frame's words are looked at when the ones before it are found right: else there might be
    // none. The CPU does not wait for that.
    for (std::uint32_t i = 0; i < frames_; ++i) {
      const Step& step = steps_[i];
      if (step.rbp_from != Step::kNoRbp) {
        const std::uintptr_t rbp = step.rbp_from == Step::kRegister
                                       ? caller.frame
                                       : word_at(caller.stack + offset(step.rbp_from));
        if (CLOCKSHIM_UNLIKELY(rbp - caller.stack != offset(step.rbp))) return false;
      }
      if (CLOCKSHIM_UNLIKELY(word_at(caller.stack + offset(step.at)) != step.pc)) return false;
    }
    live::ThreadTable::Entry* const entry = entry_;
    const std::uint64_t counted_as = counted_as_;
    // A signal handler may have put another chain here meanwhile; or its entry may have been
    // retired (dlclose), or is a forked parent's.
    if (CLOCKSHIM_UNLIKELY(version_.load(std::memory_order_acquire) != version ||
                           entry->key != counted_as))
      return false;
    f(*entry);
    return true;
  }

  struct Step {
    // Offsets from the caller's stack pointer, which is some words below all of them.
    static constexpr std::int32_t kNoRbp =
        std::numeric_limits<std::int32_t>::max();          // the rule starts from rsp
    static constexpr std::int32_t kRegister = kNoRbp - 1;  // rbp is still the caller's
    std::uintptr_t pc = 0;                                 // the return address that stands
    std::int32_t at = 0;                                   // there
    std::int32_t rbp_from = 0;                             // where rbp was saved
    std::int32_t rbp = 0;                                  // and what it was, as an offset too
  };

  static std::uintptr_t word_at(std::uintptr_t address) {
    return *reinterpret_cast<const std::uintptr_t*>(address);
  }
  static std::uintptr_t offset(std::int32_t bytes) {
    return static_cast<std::uintptr_t>(static_cast<std::intptr_t>(bytes));
  }

  std::uint64_t key_ = 0;
  std::atomic<std::uint32_t> version_{};  // odd: being written
  std::uint32_t frames_ = 0;
  live::ThreadTable::Entry* entry_ = nullptr;
  std::uint64_t counted_as_ = 0;
  Step steps_[kMostFrames]{};
  std::uintptr_t writer_ = 0;  // while the version is odd: this_frame() of who writes
};
static_assert(sizeof(ChainMemo) == 192);

// Those of one thread, or rather of its table.
class ChainMemos {
 public:
  CLOCKSHIM_INLINE ChainMemo& of(SiteKey key, const Frame& caller) noexcept {
    // The place on the stack tells most callers behind the same wrapper apart.
    return memos_[SiteKey{key.raw() + (caller.stack << 16)}.home(kBits)];
  }

  // The table goes to another thread, or to a forked child in which what was being written is not
  // finished.
  void forget() noexcept {
    for (ChainMemo& memo : memos_) memo.forget();
  }

 private:
  static constexpr unsigned kBits = 4;
  ChainMemo memos_[1U << kBits]{};
};

}  // namespace clockshim
