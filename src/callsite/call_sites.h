// Counts per call site: what the exported functions and the start of the process see of this
// folder. Besides the fast path (callsite/thread_counts.h) they need only g_sites.
//
//   ThreadCounts   a thread's own counts: the fast path
//   CallCounts     what has no room there, or has to be looked for
//   SiteRegistry   what the keys stand for
//   KeyFilter      which keys are certainly in neither
//   PythonCallers  the functions behind CPython's frames
//   ChainWalker    walks to the caller of a call, and counts it; FirstCalls at its first call
//
// All counts are in a live::Region, which is valid when all zero. A forked child has a region of
// its own, in which it counts from 0, or shares its parent's (preload/live_file.cpp).
#pragma once

#include <cstdint>

#include "base/attributes.h"
#include "callsite/call_counts.h"
#include "callsite/chain_walker.h"
#include "callsite/key_filter.h"
#include "callsite/python/python_callers.h"
#include "callsite/site_registry.h"
#include "live/layout.h"

namespace clockshim {

class CallSites {
 public:
  // At most one may count at a time: a thread has one table.
  // `known` is empty; it is apart because it is a page that few starts touch.
  constexpr CallSites(live::Region& region, KeyFilter& known)
      : counts_(region, known), sites_(region, known), walker_(counts_, sites_, python_) {}

  // Counts any call: ChainWalker::count(). Async-signal-safe, as count_real().
  void count(SiteKey key, const Frame& caller) noexcept { walker_.count(key, caller); }

  // Counts a call that the real function answered. `clock` is below kClockIds.
  void count_real(unsigned clock) noexcept { counts_.count_real(clock); }

  // At start: ChainWalker::walk_always().
  void walk_always(unsigned frames) noexcept { walker_.walk_always(frames); }

  // At start: redirects counts to `region`, which must already contain the counts from before
  // start.
  void count_in(live::Region& region) noexcept;

  // Starts counting in a forked child; called by its only thread. `region` is new or, with `share`,
  // the parent's, in which calls are then counted as after ThreadCounts::share(). `tid` is the
  // thread's number; 0 if it is not known.
  void begin_in_child(live::Region& region, std::uint32_t tid, bool share) noexcept;

  // After dlclose(): retire_unloaded() of callsite/retire_unloaded.h.
  void retire_unloaded(bool locked) noexcept;

 private:
  CallCounts counts_;
  SiteRegistry sites_;
  PythonCallers python_;
  ChainWalker walker_;
};

// Those of this process.
CLOCKSHIM_HIDDEN extern constinit CallSites g_sites;

}  // namespace clockshim
