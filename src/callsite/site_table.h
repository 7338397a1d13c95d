// Counts per call site. Every thread counts in a table of its own: one plain addition by one
// instruction, so a signal handler can't split it and no other CPU interferes. What a site is (its
// frames) is stored once, process-wide.
//
// All counts are in a live::Region, which is valid when all zero. A forked child has a region of
// its own, in which it counts from 0, or shares its parent's (preload/live_file.cpp).
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "arch/counter.h"
#include "base/attributes.h"
#include "base/clock_id.h"
#include "callsite/python/cpython.h"
#include "callsite/stack.h"
#include "callsite/thread_memos.h"
#include "live/layout.h"
#include "live/modules.h"
#include "live/site_key.h"

namespace clockshim {

class SiteTable {
 public:
  // Whether the loader has set up this thread's TLS, so that the functions below may be called. It
  // has by the time the constructor runs.
  CLOCKSHIM_INLINE static bool ready() noexcept { return t_table_ != nullptr; }

  // This thread's table, for count_again(). It may be loaded long before it is used.
  CLOCKSHIM_INLINE static live::ThreadTable* table() noexcept { return t_table_; }

  // HOT. Counts a call under a key that this thread has counted before, and that is not a
  // wrapper's. False: nothing is counted; call count_elsewhere().
  CLOCKSHIM_INLINE static bool count_again(SiteKey key,
                                           live::ThreadTable* mine = table()) noexcept {
    live::ThreadTable::Entry& entry =
        mine->at(key.place(live::kThreadSiteBits, sizeof(live::ThreadTable::Entry)));
    if (CLOCKSHIM_UNLIKELY(entry.key != key.raw())) return false;
    Arch::increment(entry.count);
    return true;
  }

  // Like count_again(), for a key whose first slot is taken by another key: looks in the next slot,
  // which mostly is in the same cache line.
  CLOCKSHIM_INLINE static bool count_beside(SiteKey key) noexcept {
    live::ThreadTable* const mine = t_table_;
    live::ThreadTable::Entry& entry = mine->entries[place(key, 1)];
    if (entry.key != key.raw()) return false;
    Arch::increment(entry.count);
    return true;
  }

  // HOT behind a wrapper. Like count_again(), for a caller behind one wrapper whose rule this
  // thread has. `caller` is the wrapper's frame.
  CLOCKSHIM_INLINE static bool count_behind(SiteKey key, const Frame& caller) noexcept {
    live::ThreadTable* const mine = t_table_;
    const live::ThreadTable::Entry& entry =
        mine->at(key.place(live::kThreadSiteBits, sizeof(live::ThreadTable::Entry)));
    if (CLOCKSHIM_UNLIKELY(entry.key != (key.raw() | SiteKey::kRule) || entry.count == 0))
      return false;
    const FrameRule rule = FrameRule::unpacked(entry.count);
    if (CLOCKSHIM_UNLIKELY(!rule.leads_near(caller))) return false;
    const SiteKey behind = key.behind(rule.return_address_of(caller));
    return count_again(behind) || count_beside(behind);
  }

  // HOT behind several wrappers, and with CLOCKSHIM_DEPTH. Like count_again(), for a caller whose
  // chain this thread has walked before.
  CLOCKSHIM_INLINE static bool count_chain(SiteKey key, const Frame& caller) noexcept {
    ThreadMemos* const mine = t_memos_;
    return CLOCKSHIM_LIKELY(mine != nullptr) &&
           mine->chains.of(key, caller).count_again(key, caller);
  }

  // Counts any call: walks through wrappers, and creates a site at its first call. `caller` is the
  // frame that called the exported function. Async-signal-safe.
  void count_elsewhere(SiteKey key, const Frame& caller) noexcept;

  // Counts a call that the real function answered.
  void count_real(unsigned clock) noexcept;

  // From now on the first `frames` of each caller are walked, wrappers or not. At start only,
  // because it changes the meaning of keys.
  void walk_always(unsigned frames) noexcept { always_walked_ = std::min(frames, kMaxWalked); }
  static constexpr unsigned kMaxWalked = 6;  // nested wrappers, or CLOCKSHIM_DEPTH
  static_assert(kMaxWalked <= ChainMemo::kMostFrames && kMaxWalked < live::kSiteDepth);

  // Points this thread's hot path at an empty table, so that every call reaches the slow path,
  // which decides whether to sample it. Call it at start, for the thread that has called before;
  // later threads are set up this way by attach().
  static void look_at_each_call() noexcept;

  // Gives back the table of the calling thread, which ends. With its counts it goes to the next
  // thread that needs one.
  static void detach() noexcept;

  // At start: redirects counts to `region`, which must already contain the counts from before
  // start.
  void count_in(live::Region& region) noexcept;
  // Starts counting in a forked child; called by its only thread. `region` is new or, with `share`,
  // the parent's, in which calls are then counted as after share(). `tid` is the thread's number; 0
  // if it is not known.
  void begin_in_child(live::Region& region, std::uint32_t tid, bool share) noexcept;
  // Declares that the region is a parent's, whose threads own the tables: from now on no thread of
  // this process writes to a table. After a raw clone the hot path's table is such a table, so the
  // caller must keep calls away from the hot path.
  void share() noexcept { shared_.store(true, std::memory_order_release); }

  // At start: writes the thread's number into its table, because the thread may have called before
  // its number was known.
  static void sign_again() noexcept;

  // After dlclose(): moves the counts of sites in unloaded modules to keys that no call has, so
  // that whatever is loaded in the same place is counted under its own name. A module that is
  // loaded there again continues its old counts. `locked` means that the caller has held the
  // loader's lock since before the closing, so that nothing can be loaded meanwhile
  // (preload/unloading.cpp).
  void retire_unloaded(bool locked) noexcept;

  constexpr explicit SiteTable(live::Region& region) : region_(&region) {}

 private:
  enum class Found { nothing, counted, rule };

  // The Python functions behind the C frames of a chain.
  struct PythonFrames {
    unsigned count = 0;
    std::uintptr_t frames[live::kSiteDepth];
    std::uint64_t keys[live::kSiteDepth];
    std::uint16_t numbers[live::kSiteDepth];  // the numbers of their names
  };

  // The slot of a thread's table that is searched for a key in the `probe`th step: its home, then
  // the neighbour, and so on through all slots.
  static constexpr unsigned place(SiteKey key, unsigned probe) {
    return key.home(live::kThreadSiteBits) ^ probe;
  }

  unsigned count_by_chain(SiteKey key, Frame* chain, live::ThreadTable* table) noexcept;
  Found look_up(live::ThreadTable* table, SiteKey key, FrameRule& rule,
                live::ThreadTable::Entry*& mine) noexcept;
  CLOCKSHIM_SLOW bool first_sight(SiteKey key, const Frame* chain, unsigned depth,
                                  live::ThreadTable* table, FrameRule& rule) noexcept;
  live::ThreadTable* attach() noexcept;
  void count_unwalked(SiteKey key, const Frame* chain, unsigned depth) noexcept;
  [[nodiscard]] bool count_without_site(SiteKey key, const Frame* chain, unsigned depth) noexcept;
  void count_folded(std::uintptr_t as, SiteKey key, const Frame& caller) noexcept;
  void count_wrapper(SiteKey key, const Frame* chain) noexcept;
  void count_new(SiteKey key, const Frame* chain, unsigned depth, live::ThreadTable* table,
                 const PythonFrames* python = nullptr) noexcept;
  [[nodiscard]] bool crowded() const noexcept;
  // Whether there is no room for new sites; or for new sites in generated code.
  [[nodiscard]] bool full() const noexcept {
    return sites_used_.load(std::memory_order_relaxed) >= kSitesUsable;
  }
  [[nodiscard]] bool generated_full() const noexcept {
    return generated_used_.load(std::memory_order_relaxed) >= kSitesForGenerated;
  }
  [[nodiscard]] bool knows(SiteKey key) const noexcept;
  void note(SiteKey key) noexcept;
  bool insert(live::ThreadTable* table, std::uint64_t key, std::uint64_t amount,
              std::uint64_t retired = 0) noexcept;
  bool add_site(SiteKey key, std::uint64_t retired, const Frame* chain, unsigned depth,
                const PythonFrames* python) noexcept;
  unsigned add_first_seen(live::SiteRecord& site, unsigned exact, const Frame& last) noexcept;
  // callsite/python_sites.cpp
  void sample(SiteKey key, const Frame* chain, unsigned in_c) noexcept;
  [[nodiscard]] CPythonIs python_behind(const Module& module, const Frame* chain,
                                        unsigned depth) noexcept;
  [[nodiscard]] bool count_python_again(SiteKey key, unsigned depth) noexcept;
  void count_interpreted(SiteKey key, const Frame* chain, unsigned depth,
                         live::ThreadTable* table) noexcept;
  void find_python(const live::ThreadTable* table, unsigned most, PythonFrames& out) noexcept;
  static SiteKey key_behind(SiteKey key, const PythonFrames& python) noexcept;
  [[nodiscard]] unsigned python_depth(unsigned chain) const noexcept;
  bool number(std::uintptr_t frame, std::uint16_t& out) noexcept;
  unsigned add_first_seen_python(live::SiteRecord& site, unsigned exact,
                                 std::uintptr_t last) noexcept;
  // callsite/retired_sites.cpp
  SiteKey retired_key(SiteKey key, const Frame* chain, unsigned depth) noexcept;
  void retire(const live::Modules& gone) noexcept;
  void retire(live::SiteRecord& site, const live::Modules& gone) noexcept;
  void rename(SiteKey from, SiteKey to, bool only_rules) noexcept;

  static CLOCKSHIM_TLS live::ThreadTable*
      t_table_;  // for the hot path; g_no_table if each call has to take the slow path
  static CLOCKSHIM_TLS ThreadMemos* t_memos_;  // likewise; null then
  static CLOCKSHIM_TLS live::ThreadTable* t_mine_;
  static CLOCKSHIM_TLS bool t_no_table_;
  static CLOCKSHIM_TLS std::uint32_t
      t_forked_as_;  // the thread's number, in a forked child; else 0

  void begin() noexcept {
    if (CLOCKSHIM_UNLIKELY(region_->header.counted.load(std::memory_order_relaxed) == 0))
      begin_counting();
  }
  CLOCKSHIM_SLOW void begin_counting() noexcept;
  // This thread's table and memos. If the region is a parent's, a cloned thread still has those of
  // the parent's thread, so the answer is null.
  [[nodiscard]] live::ThreadTable* mine() const noexcept {
    return shared_.load(std::memory_order_acquire) ? nullptr : t_mine_;
  }
  [[nodiscard]] ThreadMemos* memos() const noexcept {
    return shared_.load(std::memory_order_acquire) ? nullptr : t_memos_;
  }

  // Limits of the site table. 1/8 is kept for callers behind no wrapper, and 1/16 stays free so
  // that searches end soon. Generated (JIT) code gets half at most, because a program may generate
  // code for ever and drop it soon.
  static constexpr unsigned kSitesForChains = live::kSites * 7 / 8;
  static constexpr unsigned kSitesUsable = live::kSites * 15 / 16;
  static constexpr unsigned kSitesForGenerated = live::kSites / 2;

  live::Region* region_;
  std::atomic<bool> shared_{};  // the region is a parent's: count by locked additions only
  unsigned always_walked_ = 0;
  std::atomic<unsigned> shared_used_{};     // used entries of region_->shared
  std::atomic<unsigned> sites_used_{};      // used region_->sites
  std::atomic<unsigned> generated_used_{};  // of those, sites whose caller is in no module
  std::atomic<unsigned> names_used_{};      // used region_->names
  // Which of region_->sites are used, so that a search for them does not touch unused pages. In a
  // forked child, it includes those of its parent.
  std::atomic<std::uint64_t> site_places_[live::kSites / 64]{};

  // Which keys have a site or an entry in the shared table: a Bloom filter with two bits for each
  // key, so that two loads find out that a key is unknown, however full the tables are. It is never
  // cleared. If it is wrong, in one case in 300 with full tables, the tables are searched.
  static constexpr unsigned kKnownBits = 15;
  static constexpr unsigned kWordBits = 6;
  std::atomic<std::uint64_t> known_[1U << (kKnownBits - kWordBits)]{};
};

// The table of this process.
extern constinit SiteTable g_sites;

}  // namespace clockshim
