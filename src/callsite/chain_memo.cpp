#include "callsite/chain_memo.h"

#include "base/left_behind.h"

namespace clockshim {

void ChainMemo::remember(SiteKey key, const Frame* chain, const FrameRule* rules, unsigned depth,
                         live::ThreadTable::Entry& entry) noexcept {
  // An odd version marks the memo as being written, and a signal handler that comes in between
  // leaves it alone. (A handler runs to its end before this function goes on, so the two never take
  // turns.)
  std::uint32_t version = version_.load(std::memory_order_relaxed);
  if (depth > kMostFrames + 1) return;
  const std::uintptr_t start = chain[0].stack;
  const std::uintptr_t here = this_frame();
  if (version % 2 != 0 && !is_left_behind(writer_, here, start)) return;
  version |= 1U;
  version_.store(version, std::memory_order_relaxed);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  writer_ = here;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  constexpr std::uintptr_t kFarthest = 1U << 30;
  bool fits = true;
  const auto offset_of = [&](std::uintptr_t address) {
    fits = fits && address - start + kFarthest < 2 * kFarthest;
    return static_cast<std::int32_t>(address - start);
  };
  std::int32_t rbp_from = Step::kRegister;
  for (unsigned i = 0; i + 1 < depth; ++i) {
    Step& step = steps_[i];
    const std::uintptr_t cfa = chain[i + 1].stack;
    step.pc = chain[i + 1].pc;
    step.at = offset_of(cfa - sizeof(std::uintptr_t));
    step.rbp_from = rules[i].from_frame ? rbp_from : Step::kNoRbp;
    step.rbp = rules[i].from_frame ? offset_of(chain[i].frame) : 0;
    if (rules[i].saved_frame != 0)
      rbp_from = offset_of(
          cfa + static_cast<std::uintptr_t>(static_cast<std::intptr_t>(rules[i].saved_frame)));
  }
  key_ = fits ? key.raw() | (entry.key & SiteKey::kRule) : 0;
  frames_ = depth - 1;
  entry_ = &entry;
  counted_as_ = entry.key;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  writer_ = 0;  // before others may write: they would take a stale note for theirs
  std::atomic_signal_fence(std::memory_order_seq_cst);
  version_.store(version + 1, std::memory_order_release);
}

}  // namespace clockshim
