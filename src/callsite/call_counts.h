// Where a call is counted that the fast path has not counted: in the thread's own table if that has
// room, else in the table that all threads share, there by locked additions.
//
// A thread's table takes live::kThreadSitesUsable keys, the shared one kSharedUsable; the last
// slots of both are kept for folded callers (SiteKey::folded()), so that these always find one.
// Where a search meets no free slot within some steps, the key has no room there. The caller then
// counts under another key, or at last as dropped.
//
// Entries with SiteKey::kRule hold a FrameRule instead of a count. Everything is
// async-signal-safe and lock-free, but for what is for the start or a forked child.
#pragma once

#include <atomic>
#include <cstdint>

#include "callsite/key_filter.h"
#include "callsite/stack.h"
#include "live/layout.h"
#include "live/site_key.h"

namespace clockshim {

class CallCounts {
 public:
  // `known` gets each key that is added to a table.
  constexpr CallCounts(live::Region& region, KeyFilter& known) : region_(&region), known_(known) {}

  // From this many entries of the shared table on, it takes no more keys, and no more chains'.
  static constexpr unsigned kSharedUsable = live::kSharedSites * 15 / 16;
  static constexpr unsigned kSharedForChains = live::kSharedSites * 7 / 8;

  enum class Found { nothing, counted, rule };

  // Counts a call under a key that any thread has counted before. Looks in this thread's table
  // (null: it has none), then in the shared one; what is found there is copied into this thread's
  // table if that has room. Found::rule: the key is a wrapper's, and nothing is counted. `rule` is
  // written then. `mine` is set to the entry if it is this thread's own.
  //
  // A rule entry whose word is still 0 is being written by the code that this signal handler has
  // interrupted; then nothing is found, and the call is counted under the wrapper itself.
  Found count(live::ThreadTable* table, SiteKey key, FrameRule& rule,
              live::ThreadTable::Entry*& mine) noexcept;

  // Adds `amount` (or, for a rule, stores the word) under a new or known key, or under a retired
  // key that is used again. False: there is no room.
  bool add(live::ThreadTable* table, std::uint64_t key, std::uint64_t amount,
           std::uint64_t retired = 0) noexcept;

  // Counts a call whose caller has no site of its own: `key` came from `caller`, and `as` says why
  // it has none (SiteKey::kOtherCallers, kGeneratedCode).
  void count_folded(std::uintptr_t as, SiteKey key, const Frame& caller) noexcept;

  // Counts a call that the real function answered. `clock` is below kClockIds.
  void count_real(unsigned clock) noexcept;

  // Renames a key in all tables; with `only_rules`, only where it is a rule's. No thread counts
  // under `from` meanwhile, because the code that would is unloaded. A rule is forgotten.
  void rename(SiteKey from, SiteKey to, bool only_rules) noexcept;

  // Whether a key may have a site or an entry in the shared table, or certainly has none.
  [[nodiscard]] bool may_know(SiteKey key) const noexcept { return known_.may_contain(key); }

  // Whether the shared table has no more room for chains.
  [[nodiscard]] bool crowded() const noexcept {
    return shared_used_.load(std::memory_order_relaxed) >= kSharedForChains;
  }

  [[nodiscard]] live::Region& region() const noexcept { return *region_; }

  // At start: what was counted is in `region` now.
  void move_to(live::Region& region) noexcept { region_ = &region; }
  // In a forked child. `region` is new or, with `share`, the parent's.
  void begin_in_child(live::Region& region, bool share) noexcept {
    region_ = &region;
    if (!share) shared_used_.store(0, std::memory_order_relaxed);
  }

 private:
  live::Region* region_;
  KeyFilter& known_;
  std::atomic<unsigned> shared_used_{};  // used entries of region_->shared
};

}  // namespace clockshim
