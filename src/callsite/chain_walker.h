// The slow path of counting: walks a call's frames through wrappers to its caller, and counts it
// there. At the first call of each key it learns what the fast path and the next walks go by: the
// rule that leads from a wrapper to its caller, or that Python is behind it.
//
// At most kMaxWalked frames are walked; a chain that goes on is counted under the last of them.
// Where tables are full, FirstCalls says what a call is counted under. Async-signal-safe and
// lock-free; how much stack it may take is in tests/preload/stack_test.cpp.
#pragma once

#include <algorithm>

#include "base/attributes.h"
#include "callsite/call_counts.h"
#include "callsite/first_calls.h"
#include "callsite/python/python_callers.h"
#include "callsite/site_registry.h"
#include "callsite/stack.h"
#include "callsite/thread_memos.h"
#include "live/layout.h"
#include "live/site_key.h"
#include "os/module.h"

namespace clockshim {

class ChainWalker {
 public:
  constexpr ChainWalker(CallCounts& counts, SiteRegistry& sites, PythonCallers& python)
      : counts_(counts), sites_(sites), python_(python), first_calls_(counts, sites, python) {}

  static constexpr unsigned kMaxWalked = 6;  // nested wrappers, or CLOCKSHIM_DEPTH
  static_assert(kMaxWalked <= ChainMemo::kMostFrames && kMaxWalked < live::kSiteDepth);

  // Counts any call, and creates its site at its first call. `caller` is the frame that called the
  // exported function, and `key` the key of that. With full stacks it samples some calls, too.
  CLOCKSHIM_ALIGNS_STACK void count(SiteKey key, const Frame& caller) noexcept;

  // From now on the first `frames` of each caller are walked, wrappers or not; more than kMaxWalked
  // are as many as that. At start only, because it changes the meaning of keys.
  void walk_always(unsigned frames) noexcept { always_walked_ = std::min(frames, kMaxWalked); }

 private:
  unsigned walk(SiteKey key, Frame* chain, live::ThreadTable* table) noexcept;
  CLOCKSHIM_SLOW bool learn(SiteKey key, const Frame* chain, unsigned depth,
                            live::ThreadTable* table, FrameRule& rule) noexcept;
  [[nodiscard]] CPythonIs python_behind(const Module& module, const Frame* chain,
                                        unsigned depth) const noexcept;
  void count_interpreted(SiteKey key, const Frame* chain, unsigned depth,
                         live::ThreadTable* table) noexcept;
  [[nodiscard]] unsigned python_depth(unsigned chain) const noexcept;
  void sample(SiteKey key, const Frame* chain, unsigned in_c) noexcept;

  CallCounts& counts_;
  SiteRegistry& sites_;
  PythonCallers& python_;
  FirstCalls first_calls_;
  unsigned always_walked_ = 0;
};

}  // namespace clockshim
