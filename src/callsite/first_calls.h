// Counts calls under keys that no thread has counted yet: each gets a site in the registry, with
// the stack behind it as it is now, and its first count. Where there is no room for a site, the
// call is counted together with others, so that no call is lost: a chain under its wrapper, and
// what is left under SiteKey::kOtherCallers or kGeneratedCode.
//
// All functions are async-signal-safe and lock-free. The thread's table is attached before they are
// called (CallCounts, ThreadCounts::attach).
#pragma once

#include "callsite/call_counts.h"
#include "callsite/python/python_callers.h"
#include "callsite/site_registry.h"
#include "callsite/stack.h"
#include "live/layout.h"
#include "live/site_key.h"

namespace clockshim {

class FirstCalls {
 public:
  constexpr FirstCalls(CallCounts& counts, SiteRegistry& sites, PythonCallers& python)
      : counts_(counts), sites_(sites), python_(python) {}

  // Counts a call that has no room for a site of its own, together with others of its kind. This
  // has to be cheap, because each such call comes here. False: there is room, or the key has a site
  // already; nothing is counted. `chain` has `depth` frames, at least 1, of which the last one may
  // be a wrapper's.
  [[nodiscard]] bool count_without_site(SiteKey key, const Frame* chain, unsigned depth) noexcept;

  // Creates the site of `key`, and counts its first call in `table` (null: in the shared one).
  // `python` has the functions behind the chain, with their numbers; null: it has none.
  void count_new(SiteKey key, const Frame* chain, unsigned depth, live::ThreadTable* table,
                 const PythonFrames* python = nullptr) noexcept;

  // Counts a call whose rule leads off the stack, this once, under a key of its own. If it used the
  // frame's own key, other threads would find that, and no longer walk on from there.
  void count_unwalked(SiteKey key, const Frame* chain, unsigned depth) noexcept {
    count_new(key.behind(0), chain, depth, nullptr);
  }

  // Whether new chains get no sites. Chains can be many: a program's callers, times their callers,
  // and so on. So 1/8 of the tables is kept for plain callers. When the rest is full, new chains
  // are counted under their wrapper instead of being dropped.
  [[nodiscard]] bool crowded() const noexcept { return counts_.crowded() || sites_.crowded(); }

 private:
  void count_wrapper(SiteKey key, const Frame* chain) noexcept;
  [[nodiscard]] unsigned first_stack(live::SiteRecord& site, unsigned exact,
                                     const Frame& last) const noexcept;

  CallCounts& counts_;
  SiteRegistry& sites_;
  PythonCallers& python_;
};

}  // namespace clockshim
