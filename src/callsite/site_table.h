// Counts per call site. Every thread counts in a table of its own: one plain add by one
// instruction, so a signal handler can't split it and no other CPU is in its way. What a site is
// (its frames) stands once, process-wide.
//
// All of it stands in a live::Region, which is right when all zero. A forked child has a region of
// its own, in which it counts from nothing, or shares its parent's (preload/live_file.cpp).
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
  // Whether the loader has laid out this thread's storage, so that the functions below may be
  // called. It has before the constructor.
  CLOCKSHIM_INLINE static bool ready() noexcept { return t_table_ != nullptr; }

  // This thread's, for count_again(). What it finds may be loaded long before it is used.
  CLOCKSHIM_INLINE static live::ThreadTable* table() noexcept { return t_table_; }

  // HOT. Counts a call under a key that this thread has counted before and that is no wrapper's.
  // False: nothing is counted; call count_elsewhere().
  CLOCKSHIM_INLINE static bool count_again(SiteKey key,
                                           live::ThreadTable* mine = table()) noexcept {
    live::ThreadTable::Entry& entry =
        mine->at(key.place(live::kThreadSiteBits, sizeof(live::ThreadTable::Entry)));
    if (CLOCKSHIM_UNLIKELY(entry.key != key.raw())) return false;
    Arch::increment(entry.count);
    return true;
  }

  // The same for a key whose first place another one has taken: it stands beside, in most cases in
  // the same cache line.
  CLOCKSHIM_INLINE static bool count_beside(SiteKey key) noexcept {
    live::ThreadTable* const mine = t_table_;
    live::ThreadTable::Entry& entry = mine->entries[place(key, 1)];
    if (entry.key != key.raw()) return false;
    Arch::increment(entry.count);
    return true;
  }

  // HOT behind a wrapper. The same for a caller behind one wrapper whose rule this thread has;
  // `caller` is the wrapper's.
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

  // HOT behind several wrappers, and with CLOCKSHIM_DEPTH. The same for a caller whose chain this
  // thread has walked before.
  CLOCKSHIM_INLINE static bool count_chain(SiteKey key, const Frame& caller) noexcept {
    ThreadMemos* const mine = t_memos_;
    return CLOCKSHIM_LIKELY(mine != nullptr) &&
           mine->chains.of(key, caller).count_again(key, caller);
  }

  // Counts any call: walks through wrappers, learns a site at its first sight. `caller` is the
  // frame that called.
  void count_elsewhere(SiteKey key, const Frame& caller) noexcept;

  // A call that the real function answered.
  void count_real(unsigned clock) noexcept;

  // From now on the first `frames` of each caller are walked, wrappers or not. At start only: keys
  // would change their meaning.
  void walk_always(unsigned frames) noexcept { always_walked_ = std::min(frames, kMaxWalked); }
  static constexpr unsigned kMaxWalked =
      6;  // a wrapper around a wrapper, and so on; or CLOCKSHIM_DEPTH
  static_assert(kMaxWalked <= ChainMemo::kMostFrames && kMaxWalked < live::kSiteDepth);

  // From now on each call of this thread takes the slow half, which looks whether it is to be
  // sampled. At start, for the thread that has asked before it: those that come later find out by
  // themselves.
  static void look_at_each_call() noexcept;

  // The calling thread ends: its table, with what it counted, goes to the next thread that needs
  // one.
  static void detach() noexcept;

  // At start: counts go to `region` from now on, which has those of before start already.
  void count_in(live::Region& region) noexcept;
  // In a forked child, by its only thread. `region` is new, or its parent's, which is then counted
  // in as after share(). `tid`: the thread's number; 0 where that is not known.
  void begin_in_child(live::Region& region, std::uint32_t tid, bool share) noexcept;
  // The region is a parent's, whose threads own the tables: from now on no thread of this process
  // writes to one of them. What the hot path would count in is such a table, for the thread that
  // was cloned: the caller keeps calls away from it.
  void share() noexcept { shared_.store(true, std::memory_order_release); }

  // The calling thread may have asked before its number could be known: its table is told now. At
  // start.
  static void sign_again() noexcept;

  // After dlclose(): sites in modules that are gone keep their counts under keys that no call has
  // any more, so that what is loaded in the same place is counted under its own name. A module that
  // comes back there goes on with what it had. `locked`: the loader's lock is held since before the
  // closing, so that nothing can be loaded meanwhile (preload/unloading.cpp).
  void retire_unloaded(bool locked) noexcept;

  constexpr explicit SiteTable(live::Region& region) : region_(&region) {}

 private:
  enum class Found { nothing, counted, rule };

  // Python functions that stand behind the C frames of a chain.
  struct PythonFrames {
    unsigned count = 0;
    std::uintptr_t frames[live::kSiteDepth];
    std::uint64_t keys[live::kSiteDepth];
    std::uint16_t numbers[live::kSiteDepth];  // of their names
  };

  // Where a key is looked for in a thread's table, the `probe`th time: first its home, then its
  // neighbour, and so on to all.
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
  // No room for any new site; or for none in generated code.
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
      t_table_;  // for the hot path; g_no_table where each call takes the slow one
  static CLOCKSHIM_TLS ThreadMemos* t_memos_;  // likewise; null there
  static CLOCKSHIM_TLS live::ThreadTable* t_mine_;
  static CLOCKSHIM_TLS bool t_no_table_;
  static CLOCKSHIM_TLS std::uint32_t t_forked_as_;  // its number, in a forked child; else 0

  void begin() noexcept {
    if (CLOCKSHIM_UNLIKELY(region_->header.counted.load(std::memory_order_relaxed) == 0))
      begin_counting();
  }
  CLOCKSHIM_SLOW void begin_counting() noexcept;
  // This thread's table and memos. Where the region is a parent's, a cloned thread still has those
  // of the parent's thread: then there are none.
  [[nodiscard]] live::ThreadTable* mine() const noexcept {
    return shared_.load(std::memory_order_acquire) ? nullptr : t_mine_;
  }
  [[nodiscard]] ThreadMemos* memos() const noexcept {
    return shared_.load(std::memory_order_acquire) ? nullptr : t_memos_;
  }

  // Sites: some room is kept for callers behind no wrapper, and some so that searches end soon.
  // Code that a program makes while it runs (JIT) may be made for ever, and be gone soon.
  static constexpr unsigned kSitesForChains = live::kSites * 7 / 8;
  static constexpr unsigned kSitesUsable = live::kSites * 15 / 16;
  static constexpr unsigned kSitesForGenerated = live::kSites / 2;

  live::Region* region_;
  std::atomic<bool> shared_{};  // counts by locked additions only: the region is a parent's
  unsigned always_walked_ = 0;
  std::atomic<unsigned> shared_used_{};     // of region_->shared.entries
  std::atomic<unsigned> sites_used_{};      // of region_->sites
  std::atomic<unsigned> generated_used_{};  // of those, the ones whose caller is in no module
  std::atomic<unsigned> names_used_{};      // of region_->names
  // Which of region_->sites are taken, so that pages of it that nobody has used are not touched for
  // those that are sought. In a forked child, those that its parent had too.
  std::atomic<std::uint64_t> site_places_[live::kSites / 64]{};

  // Which keys have a site or stand in the shared table: two bits each (a Bloom filter), so that an
  // unknown one is found to be one by two loads, whatever the tables hold. Never cleared: where it
  // is wrong, in one case in 300 of full tables, the tables are searched.
  static constexpr unsigned kKnownBits = 15;
  static constexpr unsigned kWordBits = 6;
  std::atomic<std::uint64_t> known_[1U << (kKnownBits - kWordBits)]{};
};

// The process's own.
extern constinit SiteTable g_sites;

}  // namespace clockshim
