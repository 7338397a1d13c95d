// Counts per call site without thread-local storage: each CPU has a table of the region, in which
// it adds by locked additions. Hardly any other CPU adds there (a thread that was moved just now),
// so they cost little. What a table has no room for is counted in the one that all CPUs share.
//
// The caller of a vDSO's function always is a wrapper: the C library's clock_gettime(), say. The
// command knows the wrappers' code and the rules that lead from it to their callers.
//
// Async-signal-safe and lock-free; any thread may call any function at any time.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/attributes.h"
#include "callsite/stack.h"
#include "image/go_chains.h"
#include "live/layout.h"
#include "live/site_key.h"

namespace clockshim {

extern constinit GoChains g_go_chains;

class CpuCounts {
 public:
  // As many wrappers as ChainWalker walks, so that a report's chains are as deep in both.
  static constexpr unsigned kMostFrames = 6;

  // Call it before anything is counted.
  static void start(live::Region& region) noexcept;

  // HOT. Counts a call that was made on `cpu`, or thereabouts. `caller` is the frame that called
  // the image's function, and `key` the key of that. What is in line here is a call whose caller
  // has called before on this CPU, through wrappers that stand where a search for them begins: one
  // in C. Go's three and more are in `g_go_chains`, or are walked out of line.
  static CLOCKSHIM_INLINE void count(live::Region& region, SiteKey key, const Frame& caller,
                                     unsigned cpu) noexcept {
    live::ThreadTable& table = region.threads[cpu % live::kThreads];
    const live::ThreadTable::Entry& first = home_of(table, key);
    if (first.key == (key.raw() | SiteKey::kRule) && first.count == kGoRule.packed()) {
      const SiteKey known{g_go_chains.find(key, caller)};
      if (CLOCKSHIM_UNLIKELY(known.raw() == 0)) return count_any(region, key, caller, cpu);
      live::ThreadTable::Entry& entry = home_of(table, known);
      if (CLOCKSHIM_UNLIKELY(entry.key != known.raw()))
        return count_known(region, key, caller, cpu, known);
      std::atomic_ref(entry.count).fetch_add(1, std::memory_order_relaxed);
      return;
    }
    Frame frame = caller;
    SiteKey at = key;
    for (unsigned depth = 0; depth <= kMostFrames; ++depth) {
      live::ThreadTable::Entry& entry = home_of(table, at);
      if (entry.key == at.raw()) {
        std::atomic_ref(entry.count).fetch_add(1, std::memory_order_relaxed);
        return;
      }
      if (CLOCKSHIM_UNLIKELY(entry.key != (at.raw() | SiteKey::kRule))) break;
      const FrameRule rule = FrameRule::unpacked(entry.count);
      if (CLOCKSHIM_UNLIKELY(!may_follow(rule, frame))) break;
      frame = rule.caller_of(frame);
      at = at.behind(frame.pc);
    }
    count_any(region, key, caller, cpu);
  }

  // Counts that the real function answers a call of clock `clock` (< kClockIds), which was counted
  // on `cpu`.
  static void count_real(live::Region& region, unsigned clock, unsigned cpu) noexcept {
    live::ThreadTable& table = region.threads[cpu % live::kThreads];
    // Readers look at a table only if it has an entry.
    if (CLOCKSHIM_LIKELY(std::atomic_ref(table.used).load(std::memory_order_relaxed) != 0)) {
      std::atomic_ref(table.real[clock]).fetch_add(1, std::memory_order_relaxed);
    } else {
      region.shared.real[clock].fetch_add(1, std::memory_order_relaxed);
    }
  }

  // Counts a call as one that could not be counted.
  static void drop(live::Region& region) noexcept;

  // A wrapper may have been unloaded, and other code have come in its place: then its rule must not
  // lead away from the stack. Go's are in no library that could be.
  static CLOCKSHIM_INLINE bool may_follow(const FrameRule& rule, const Frame& frame) noexcept {
    return rule.other_stack || rule.leads_near(frame);
  }

 private:
  static CLOCKSHIM_INLINE live::ThreadTable::Entry& home_of(live::ThreadTable& table,
                                                            SiteKey key) noexcept {
    return table.at(key.place(live::kThreadSiteBits, sizeof(live::ThreadTable::Entry)));
  }
  static CLOCKSHIM_NOINLINE void count_any(live::Region& region, SiteKey key, const Frame& caller,
                                           unsigned cpu) noexcept;
  static CLOCKSHIM_NOINLINE void count_known(live::Region& region, SiteKey key, const Frame& caller,
                                             unsigned cpu, SiteKey known) noexcept;
};

}  // namespace clockshim
