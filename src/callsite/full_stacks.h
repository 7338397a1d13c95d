// The stack behind a call, frame by frame, by the rules of unwind tables (callsite/stack.h). It is
// walked at the first call of a site, and for CLOCKSHIM_PROFILE=stacks, which keeps the whole stack
// of one call in N, on average.
//
// Each rule is learned once and remembered, so a frame costs some 5 ns from the second time on. The
// walk ends at a frame without a rule (JIT code without unwind tables, a signal frame) or whose
// rule leads off the stack; the frames up to there are kept.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/attributes.h"
#include "callsite/sample_gaps.h"
#include "callsite/stack.h"
#include "live/layout.h"
#include "live/site_key.h"

namespace clockshim {

// Returns an address up to which the stack is certainly mapped, given an address on it. The C
// library puts the thread control block above the stack of each thread that it creates, and knows
// where the main thread's stack ends. On any other stack (coroutines, alternate signal stacks)
// nothing is certain, and the result is `stack` itself.
std::uintptr_t stack_limit(std::uintptr_t stack) noexcept;

class FullStacks {
 public:
  constexpr FullStacks() = default;

  // Writes up to `most` return addresses behind `frame` to `out`, innermost first, and returns how
  // many. `cut` is set if there were more. Learns the rules that it does not know.
  // Async-signal-safe.
  unsigned walk(Frame frame, std::uint64_t* out, unsigned most, bool& cut) noexcept;

  // From now on one call in `every` is sampled, on average; 0: none.
  void sample_every(std::uint32_t every) noexcept {
    if (every != 0) gaps_.set_mean(every);
    every_ = every;
  }
  [[nodiscard]] std::uint32_t every() const noexcept { return every_; }

  // Whether this call of the thread is to be sampled.
  bool due() noexcept;

  // The calling thread has inherited its parent's random numbers, being a forked child's: it draws
  // its own from now on.
  static void begin_in_child() noexcept { t_until_due_ = 0; }

  // Counts the stack of a call in the region. `key` is the key of its first frame.
  void keep(live::Region& region, SiteKey key, const std::uint64_t* frames, unsigned depth,
            bool cut) noexcept;

  // Forgets the rules of a module between these addresses, which is unloaded.
  void forget(std::uintptr_t start, std::uintptr_t end) noexcept;

 private:
  static constexpr unsigned kRuleBits = 12;
  static constexpr unsigned kRules = 1U << kRuleBits;
  static constexpr unsigned kFirstRuleBits =
      8;  // these slots are searched first. They are one page, so a process's first stack touches
          // one page, not many
  struct Rule {
    std::atomic<std::uint64_t> pc;
    std::atomic<std::uint64_t>
        word;  // FrameRule::packed(); 0: not learned yet; kNone: there is none
  };

  bool rule_of(std::uintptr_t pc, FrameRule& out) noexcept;

  Rule rules_[kRules]{};
  std::uint32_t every_ = 0;
  SampleGaps gaps_{};
  static CLOCKSHIM_TLS std::uint64_t t_until_due_;  // calls; 0: the next one seeds t_random_
  static CLOCKSHIM_TLS std::uint64_t t_random_;
};

extern constinit FullStacks g_stacks;

}  // namespace clockshim
