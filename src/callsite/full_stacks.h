// The stack behind a call, frame by frame, by the rules of unwind tables (callsite/stack.h): for
// the first sight of a site, and for CLOCKSHIM_PROFILE=stacks, which keeps the whole stack of one
// call in N.
//
// Each rule is learned once and remembered, so a frame costs some 5 ns from its second sight on. A
// frame whose rule can't be had (JIT code without unwind tables, a signal frame), or that would
// lead off the stack, ends the walk: what was found until then stands.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/attributes.h"
#include "callsite/stack.h"
#include "live/layout.h"
#include "live/site_key.h"

namespace clockshim {

// Up to where the stack is certainly mapped, seen from an address on it: the C library puts the
// thread control block above the stack of each thread that it makes, and knows where the main
// thread's stack ends. Elsewhere (coroutines, alternate signal stacks): nothing is certain, and
// `stack` itself is the answer.
std::uintptr_t stack_limit(std::uintptr_t stack) noexcept;

class FullStacks {
 public:
  constexpr FullStacks() = default;

  // Up to `most` return addresses behind `frame`, innermost first. Returns how many. `cut`: there
  // were more. Learns the rules that it does not know.
  unsigned walk(Frame frame, std::uint64_t* out, unsigned most, bool& cut) noexcept;

  // One call in `every` is looked at from now on; 0: none.
  void sample_every(std::uint32_t every) noexcept { every_ = every; }
  [[nodiscard]] std::uint32_t every() const noexcept { return every_; }

  // Whether this call of the thread is the one in N. The first is a random one of the first N, so
  // that a loop with a period of N does not hide a caller for good.
  bool due() noexcept;

  // Counts the stack of a call in the region. `key` is that of its first frame.
  void keep(live::Region& region, SiteKey key, const std::uint64_t* frames, unsigned depth,
            bool cut) noexcept;

  // A module that stood between these addresses is gone.
  void forget(std::uintptr_t start, std::uintptr_t end) noexcept;

 private:
  static constexpr unsigned kRuleBits = 12;
  static constexpr unsigned kRules = 1U << kRuleBits;
  static constexpr unsigned kFirstRuleBits =
      8;  // looked through first: a page, so that a process's first stack touches one, not many
  struct Rule {
    std::atomic<std::uint64_t> pc;
    std::atomic<std::uint64_t>
        word;  // FrameRule::packed(); 0: not learned yet; kNone: there is none
  };

  bool rule_of(std::uintptr_t pc, FrameRule& out) noexcept;

  Rule rules_[kRules]{};
  std::uint32_t every_ = 0;
  static CLOCKSHIM_TLS std::uint32_t t_until_due_;
};

extern constinit FullStacks g_stacks;

}  // namespace clockshim
