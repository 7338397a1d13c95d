#include "callsite/site_table.h"

#include <algorithm>

#include "callsite/full_stacks.h"
#include "live/region.h"
#include "os/thread_end.h"
#include "os/thread_id.h"

namespace clockshim {

namespace {

using live::kSharedBits;
using live::kSharedSites;
using live::kThreadSites;
using live::SharedEntry;
using live::ThreadTable;

// The searches for a free slot end after so many steps: in a thread's table, and in the shared one.
constexpr unsigned kThreadProbes = 16;
constexpr unsigned kSharedProbes = 256;  // at 15/16 full, a search meets a free place after 128
constexpr unsigned kSharedUsable = kSharedSites * 15 / 16;
// In a thread's table most keys are found within this many steps. After that, the filter decides
// whether to go on.
constexpr unsigned kNearProbes = 2;

// Whether a rule leads to a place on the frame's stack. An application's frame may be large; then
// the end of the stack must be known for certain.
bool leads_up(const FrameRule& rule, const Frame& frame) noexcept {
  if (CLOCKSHIM_LIKELY(rule.leads_near(frame))) return true;
  const std::uintptr_t cfa = rule.cfa(frame);
  return cfa > frame.stack && cfa <= stack_limit(frame.stack);
}

// Finds a key, which is not a rule's, in a thread's table. Null: it is not there.
ThreadTable::Entry* find(ThreadTable& table, SiteKey key) noexcept {
  for (unsigned probe = 0; probe < kThreadSites; ++probe) {
    ThreadTable::Entry& entry = table.entries[key.home(live::kThreadSiteBits) ^ probe];
    if (entry.key == key.raw()) return &entry;
    if (entry.key == 0) break;
  }
  return nullptr;
}

// Writes the owner's thread number into the table. A thread may come here twice: in a signal
// handler on top of itself, or in the destructors after its end.
void sign(ThreadTable& table, std::uint32_t tid) noexcept {
  if (table.tid.exchange(tid, std::memory_order_relaxed) != tid)
    table.threads.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

// The table of a thread that has none. No key is ever found in it, so the hot path need not check
// whether the thread has a table.
CLOCKSHIM_LARGE static constinit ThreadTable g_no_table{};

CLOCKSHIM_TLS ThreadTable* SiteTable::t_table_ = &g_no_table;
CLOCKSHIM_TLS ThreadMemos* SiteTable::t_memos_ = nullptr;
CLOCKSHIM_TLS ThreadTable* SiteTable::t_mine_ = nullptr;
CLOCKSHIM_TLS bool SiteTable::t_no_table_ = false;
CLOCKSHIM_TLS std::uint32_t SiteTable::t_forked_as_ = 0;

constinit SiteTable g_sites{live::g_region};

// Takes a table that is free, or that was left by a thread with the same thread pointer that ended
// without notice. Its counts continue.
ThreadTable* SiteTable::attach() noexcept {
  if (CLOCKSHIM_UNLIKELY(shared_.load(std::memory_order_acquire))) {
    begin();
    return nullptr;
  }
  if (t_mine_ != nullptr || t_no_table_) return t_mine_;
  begin();
  watch_thread_end();
  const std::uint64_t me = Arch::thread_pointer();
  for (ThreadTable& table : region_->threads) {
    std::uint64_t owner = table.owner.load(std::memory_order_acquire);
    if (owner == me ||
        (owner == 0 && table.owner.compare_exchange_strong(owner, me, std::memory_order_acq_rel))) {
      ThreadMemos* const memos = make_memos(static_cast<unsigned>(&table - region_->threads));
      if (memos != nullptr) memos->serve(*region_);
      if (g_stacks.every() ==
          0) {  // otherwise each call has to take the slow path, which samples some
        t_memos_ = memos;
        t_table_ = &table;
      }
      live::note_page(*region_, &table, sizeof table);
      sign(table, t_forked_as_ != 0 ? t_forked_as_ : this_thread_id());
      return t_mine_ = &table;
    }
  }
  t_no_table_ = true;
  return nullptr;
}

void SiteTable::detach() noexcept {
  ThreadTable* const table = t_mine_;
  t_memos_ = nullptr;
  t_table_ = &g_no_table;  // first, so that a signal handler from here on takes a table of its own
  t_mine_ = nullptr;
  t_no_table_ = false;
  if (table != nullptr && !g_sites.shared_.load(std::memory_order_acquire))
    table->owner.store(0, std::memory_order_release);
}

void SiteTable::begin_counting() noexcept {
  region_->header.counted.store(1, std::memory_order_relaxed);
  live::State none = live::State::none;
  region_->header.state.compare_exchange_strong(none, live::State::running,
                                                std::memory_order_release);
}

void SiteTable::count_in(live::Region& region) noexcept {
  region_ = &region;
  const auto moved = [&](ThreadTable* table) {
    return table == nullptr || table == &g_no_table
               ? table
               : &region.threads[table - live::g_region.threads];
  };
  t_mine_ = moved(t_mine_);
  t_table_ = moved(t_table_);
  t_memos_ = nullptr;  // they point into the old tables
}

void SiteTable::begin_in_child(live::Region& region, std::uint32_t tid, bool share) noexcept {
  region_ = &region;
  shared_.store(share, std::memory_order_relaxed);
  if (!share) {
    for (auto* const used : {&shared_used_, &sites_used_, &generated_used_, &names_used_})
      used->store(0, std::memory_order_relaxed);
  }
  // This thread's table and memos are its parent's.
  t_table_ = &g_no_table;
  t_memos_ = nullptr;
  t_mine_ = nullptr;
  t_no_table_ = false;
  t_forked_as_ = tid;
}

void SiteTable::sign_again() noexcept {
  if (t_mine_ != nullptr) sign(*t_mine_, this_thread_id());
}

void SiteTable::count_elsewhere(SiteKey key, const Frame& caller) noexcept {
  if (CLOCKSHIM_UNLIKELY(full() || generated_full()) && g_stacks.every() == 0) {
    attach();
    if (count_without_site(key, &caller, 1)) return;
  }
  if (memos() != nullptr) {
    std::uint64_t last = 0;
    const unsigned depth = memos()->chains.of(key, caller).find_interpreted(key, caller, last);
    if (depth != 0 && count_python_again(SiteKey{last}, depth)) return;
  }
  ThreadTable* const table = attach();
  Frame chain[kMaxWalked + 1];
  chain[0] = caller;
  const unsigned in_c = count_by_chain(key, chain, table);
  if (g_stacks.due()) sample(key, chain, in_c);
}

// Walks from chain[0] on, and counts. Returns the number of C frames if Python is behind them, else
// 0.
unsigned SiteTable::count_by_chain(SiteKey key, Frame* chain, ThreadTable* table) noexcept {
  const SiteKey innermost = key;
  FrameRule rules[kMaxWalked + 1];
  for (unsigned depth = 1;; ++depth) {
    const Frame& frame = chain[depth - 1];
    FrameRule& rule = rules[depth - 1];
    ThreadTable::Entry* mine = nullptr;
    const Found found = look_up(table, key, rule, mine);
    if (found == Found::nothing && !first_sight(key, chain, depth, table, rule)) return 0;
    if (mine != nullptr && memos() != nullptr && (found == Found::counted || rule.interpreted))
      t_memos_->chains.of(innermost, chain[0]).remember(innermost, chain, rules, depth, *mine);
    if (found == Found::counted) return 0;
    if (rule.interpreted) {
      count_interpreted(key, chain, depth, table);
      return depth;
    }
    if (depth > kMaxWalked ||
        !leads_up(rule, frame)) {  // a stale rule: count the call under the wrapper
      count_unwalked(key, chain, depth);
      return 0;
    }
    chain[depth] = rule.caller_of(frame);
    key = key.behind(chain[depth].pc);
  }
}

void SiteTable::look_at_each_call() noexcept {
  t_memos_ = nullptr;
  t_table_ = &g_no_table;
}

// Looks for a key in this thread's table, then in the shared table. What is found there is copied
// into this thread's table if that has room. A rule entry whose word is still 0 is being written by
// the code that this signal handler has interrupted; then the call is counted under the wrapper
// itself.
auto SiteTable::look_up(ThreadTable* table, SiteKey key, FrameRule& rule,
                        ThreadTable::Entry*& mine) noexcept -> Found {
  if (table != nullptr) {
    for (unsigned probe = 0; probe < kThreadProbes; ++probe) {
      ThreadTable::Entry& entry = table->entries[place(key, probe)];
      if (entry.key == 0) break;
      if (probe == kNearProbes && !knows(key)) return Found::nothing;
      if (entry.key == key.raw()) {
        Arch::increment(entry.count);
        mine = &entry;
        return Found::counted;
      }
      if (entry.key == (key.raw() | SiteKey::kRule) && entry.count != 0) {
        rule = FrameRule::unpacked(entry.count);
        mine = &entry;
        return Found::rule;
      }
    }
  }
  if (!knows(key)) return Found::nothing;
  const bool has_room = table != nullptr && table->used < live::kThreadSitesUsable;
  const unsigned home = key.home(kSharedBits);
  for (unsigned probe = 0; probe < kSharedProbes; ++probe) {
    SharedEntry& entry = region_->shared.entries[(home + probe) % kSharedSites];
    const std::uint64_t there = entry.key.load(std::memory_order_acquire);
    if (there == 0) break;
    const std::uint64_t word = entry.count.load(std::memory_order_acquire);
    if (there == key.raw()) {
      if (has_room) {
        insert(table, there, 1);
      } else {
        entry.count.fetch_add(1, std::memory_order_relaxed);
      }
      return Found::counted;
    }
    if (there == (key.raw() | SiteKey::kRule) && word != 0) {
      if (has_room) insert(table, there, word);
      rule = FrameRule::unpacked(word);
      return Found::rule;
    }
  }
  return Found::nothing;
}

namespace {

// The two bits of a key in the filter. They are taken from the high half of the hash, whose top
// bits are also its home in the tables.
template <class F>
bool both_bits(SiteKey key, unsigned bits, F f) {
  const std::uint64_t hash = key.raw() * 0x9E3779B97F4A7C15ULL;
  const std::uint64_t mask = (1ULL << bits) - 1;
  return f(hash >> (64 - bits) & mask) && f(hash >> (64 - 2 * bits) & mask);
}

}  // namespace

bool SiteTable::knows(SiteKey key) const noexcept {
  return both_bits(key, kKnownBits, [this](std::uint64_t bit) {
    return (known_[bit >> kWordBits].load(std::memory_order_acquire) >> bit % (1U << kWordBits) &
            1U) != 0;
  });
}

// Adds a key to the filter. It must come before the key can be found in a table.
void SiteTable::note(SiteKey key) noexcept {
  if (knows(key)) return;
  both_bits(key, kKnownBits, [this](std::uint64_t bit) {
    known_[bit >> kWordBits].fetch_or(1ULL << bit % (1U << kWordBits), std::memory_order_acq_rel);
    return true;
  });
}

// Adds `amount` (or, for a rule, stores the word) under a new or known key, or under a retired key
// that is used again. A new key is claimed by a locked exchange before it is counted, because a
// signal handler may be doing the same. False: there is no room. The last slots are reserved for
// folded callers, so that these always find one.
bool SiteTable::insert(ThreadTable* table, std::uint64_t key, std::uint64_t amount,
                       std::uint64_t retired) noexcept {
  retired |= retired != 0 ? key & SiteKey::kRule : 0;
  // A retired key is in the slot where the key itself was, so the search meets it before any free
  // slot.
  const auto revived = [&](auto&& word, std::uint64_t there) {
    return there == retired && retired != 0 &&
           (word.compare_exchange_strong(there, key, std::memory_order_acq_rel) || there == key);
  };
  const SiteKey plain{key & ~SiteKey::kRule};
  const unsigned usable = plain.folded() ? kThreadSites : live::kThreadSitesUsable;
  const unsigned near = plain.folded() ? kThreadSites : kThreadProbes;
  for (unsigned probe = 0; table != nullptr && probe < near; ++probe) {
    ThreadTable::Entry& entry = table->entries[place(plain, probe)];
    const std::atomic_ref there(entry.key);
    std::uint64_t seen = there.load(std::memory_order_acquire);
    if (seen == 0 && table->used >= usable) break;
    if (seen == 0) note(plain);
    const bool fresh =
        seen == 0 && there.compare_exchange_strong(seen, key, std::memory_order_acq_rel);
    if (!fresh && seen != key && !revived(there, seen)) continue;
    if ((key & SiteKey::kRule) != 0) {
      std::atomic_ref(entry.count).store(amount, std::memory_order_release);
    } else {
      Arch::increment(entry.count);
    }
    if (fresh) Arch::increment(table->used);
    return true;
  }
  const unsigned home = plain.home(kSharedBits);
  const unsigned probes = plain.folded() ? kSharedSites : kSharedProbes;
  for (unsigned probe = 0; probe < probes; ++probe) {
    SharedEntry& entry = region_->shared.entries[(home + probe) % kSharedSites];
    std::uint64_t seen = entry.key.load(std::memory_order_acquire);
    bool fresh = false;
    if (seen == 0) {
      if (!plain.folded() && shared_used_.load(std::memory_order_relaxed) >= kSharedUsable)
        return false;
      note(plain);
      live::note_page(*region_, &entry, sizeof entry);
      fresh = entry.key.compare_exchange_strong(seen, key, std::memory_order_acq_rel);
    }
    if (!fresh && seen != key && !revived(entry.key, seen)) continue;
    if (fresh) shared_used_.fetch_add(1, std::memory_order_relaxed);
    if ((key & SiteKey::kRule) != 0) {
      entry.count.store(amount, std::memory_order_release);
    } else {
      entry.count.fetch_add(amount, std::memory_order_relaxed);
    }
    return true;
  }
  return false;
}

// Counts a call whose caller has no site of its own: `key` came from `caller`, and `as` says why it
// has none. There is room for all of these, because there are few clocks and functions. A full
// table takes long to search, so the thread remembers the slot, and the caller with it.
void SiteTable::count_folded(std::uintptr_t as, SiteKey key, const Frame& caller) noexcept {
  const SiteKey folded{as, key.clock(), key.function()};
  ThreadMemos* const memos = this->memos();
  if (memos != nullptr) {
    ThreadTable::Entry*& place_of = memos->folded_at(folded);
    if (place_of == nullptr || place_of->key != folded.raw()) place_of = find(*t_mine_, folded);
    if (ThreadTable::Entry* const entry = place_of; entry != nullptr) {
      Arch::increment(entry->count);
      if ((key.raw() & SiteKey::kChain) == 0)
        memos->chains.of(key, caller).remember(key, &caller, nullptr, 1, *entry);
      return;
    }
  }
  if (!insert(mine(), folded.raw(), 1))
    region_->shared.dropped.fetch_add(1, std::memory_order_relaxed);
}

void SiteTable::count_real(unsigned clock) noexcept {
  if (ThreadTable* const table = attach()) {
    Arch::increment(table->real[clock]);
  } else {
    region_->shared.real[clock].fetch_add(1, std::memory_order_relaxed);
  }
}

}  // namespace clockshim
