#include "callsite/site_table.h"

#include <algorithm>

#include "callsite/full_stacks.h"
#include "live/region.h"
#include "os/thread_id.h"
#include "os/thread_index.h"

namespace clockshim {

namespace {

using live::kSharedBits;
using live::kSharedSites;
using live::kThreadSites;
using live::SharedEntry;
using live::ThreadTable;

// Whether a rule leads to a place on the frame's stack. A frame of the application may be large: then the stack must be one of which it
// is certain how far it reaches.
bool leads_up(const FrameRule& rule, const Frame& frame) noexcept {
  if (CLOCKSHIM_LIKELY(rule.leads_near(frame))) return true;
  const std::uintptr_t cfa = rule.cfa(frame);
  return cfa > frame.stack && cfa <= stack_limit(frame.stack);
}

// Says whose the table is. A thread may come here twice: in a signal handler over itself, or in the destructors behind its end.
void sign(ThreadTable& table, std::uint32_t tid) noexcept {
  if (table.tid.exchange(tid, std::memory_order_relaxed) != tid) table.threads.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

// Of a thread that has none: no key is ever found in it, so the hot path need not ask whether there is one.
static constinit ThreadTable g_no_table{};

CLOCKSHIM_TLS ThreadTable* SiteTable::t_table_ = &g_no_table;
CLOCKSHIM_TLS ChainMemos* SiteTable::t_memos_ = nullptr;
CLOCKSHIM_TLS ThreadTable* SiteTable::t_mine_ = nullptr;
CLOCKSHIM_TLS bool SiteTable::t_no_table_ = false;
CLOCKSHIM_TLS std::uint32_t SiteTable::t_forked_as_ = 0;

constinit SiteTable g_sites{live::g_region};

// A table that is free, or that a thread in the same place left behind when it ended without a word. Whoever had it before counts on.
ThreadTable* SiteTable::attach() noexcept {
  if (CLOCKSHIM_UNLIKELY(shared_.load(std::memory_order_acquire))) {
    begin();
    return nullptr;
  }
  if (t_mine_ != nullptr || t_no_table_) return t_mine_;
  begin();
  this_thread_index();  // takes part in release_at_thread_end()
  const std::uint64_t me = Arch::thread_pointer();
  for (ThreadTable& table : region_->threads) {
    std::uint64_t owner = table.owner.load(std::memory_order_acquire);
    if (owner == me || (owner == 0 && table.owner.compare_exchange_strong(owner, me, std::memory_order_acq_rel))) {
      if (g_stacks.every() == 0) {  // else each call comes here, to be sampled or not
        t_memos_ = &g_memos[&table - region_->threads];
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
  t_table_ = &g_no_table;  // first: a signal handler from here on takes a table of its own
  t_mine_ = nullptr;
  t_no_table_ = false;
  if (table != nullptr && !g_sites.shared_.load(std::memory_order_acquire)) table->owner.store(0, std::memory_order_release);
}

void SiteTable::begin_counting() noexcept {
  region_->header.counted.store(1, std::memory_order_relaxed);
  live::State none = live::State::none;
  region_->header.state.compare_exchange_strong(none, live::State::running, std::memory_order_release);
}

void SiteTable::count_in(live::Region& region) noexcept {
  region_ = &region;
  const auto moved = [&](ThreadTable* table) {
    return table == nullptr || table == &g_no_table ? table : &region.threads[table - live::g_region.threads];
  };
  t_mine_ = moved(t_mine_);
  t_table_ = moved(t_table_);
  t_memos_ = nullptr;  // they point into the tables of before
}

void SiteTable::begin_in_child(live::Region& region, std::uint32_t tid, bool share) noexcept {
  region_ = &region;
  shared_.store(share, std::memory_order_relaxed);
  if (!share) {
    for (auto* const used : {&shared_used_, &sites_used_, &names_used_}) used->store(0, std::memory_order_relaxed);
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
  if (t_memos_ != nullptr && !shared_.load(std::memory_order_acquire)) {
    std::uint64_t last = 0;
    const unsigned depth = t_memos_->of(key, caller).find_interpreted(key, caller, last);
    if (depth != 0 && count_python_again(SiteKey{last}, depth)) return;
  }
  ThreadTable* const table = attach();
  Frame chain[kMaxWalked + 1];
  chain[0] = caller;
  const unsigned in_c = count_by_chain(key, chain, table);
  if (g_stacks.due()) sample(key, chain, in_c);
}

// Walks from chain[0] on. Returns how many frames there are before those of Python; 0: no Python is there.
unsigned SiteTable::count_by_chain(SiteKey key, Frame* chain, ThreadTable* table) noexcept {
  const SiteKey innermost = key;
  FrameRule rules[kMaxWalked + 1];
  for (unsigned depth = 1;; ++depth) {
    const Frame& frame = chain[depth - 1];
    FrameRule& rule = rules[depth - 1];
    ThreadTable::Entry* mine = nullptr;
    const Found found = look_up(table, key, rule, mine);
    if (found == Found::nothing && !first_sight(key, chain, depth, table, rule)) return 0;
    if (mine != nullptr && t_memos_ != nullptr && (found == Found::counted || rule.interpreted))
      t_memos_->of(innermost, chain[0]).remember(innermost, chain, rules, depth, *mine);
    if (found == Found::counted) return 0;
    if (rule.interpreted) {
      count_interpreted(key, chain, depth, table);
      return depth;
    }
    if (depth > kMaxWalked || !leads_up(rule, frame)) {  // a stale rule: the call is counted under the wrapper
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

// In this thread's table, else in the shared one: what others have there because they found no room is its own from now on, if it has
// room. A rule entry whose word is still 0 is being written by the code that we, a signal handler, have interrupted: this call is
// counted under the wrapper itself.
auto SiteTable::look_up(ThreadTable* table, SiteKey key, FrameRule& rule, ThreadTable::Entry*& mine) noexcept -> Found {
  if (table != nullptr) {
    for (unsigned probe = 0; probe < kThreadSites; ++probe) {
      ThreadTable::Entry& entry = table->entries[place(key, probe)];
      if (entry.key == 0) break;
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
  const bool has_room = table != nullptr && table->used < live::kThreadSitesUsable;
  const unsigned home = key.home(kSharedBits);
  for (unsigned probe = 0; probe < kSharedSites; ++probe) {
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

// Adds `amount` (or, for a rule, stores the word) under a new or known key. The key is claimed first and by a locked
// exchange: a signal handler may be doing the same.
void SiteTable::insert(ThreadTable* table, std::uint64_t key, std::uint64_t amount) noexcept {
  if (table != nullptr && table->used < live::kThreadSitesUsable) {
    const SiteKey plain{key & ~SiteKey::kRule};
    for (unsigned probe = 0; probe < kThreadSites; ++probe) {
      ThreadTable::Entry& entry = table->entries[place(plain, probe)];
      std::uint64_t expected = 0;
      const bool fresh = std::atomic_ref(entry.key).compare_exchange_strong(expected, key, std::memory_order_acq_rel);
      if (!fresh && expected != key) continue;
      if ((key & SiteKey::kRule) != 0) {
        std::atomic_ref(entry.count).store(amount, std::memory_order_release);
      } else {
        Arch::increment(entry.count);
      }
      if (fresh) Arch::increment(table->used);
      return;
    }
  }
  const unsigned home = SiteKey{key & ~SiteKey::kRule}.home(kSharedBits);
  for (unsigned probe = 0; probe < kSharedSites; ++probe) {
    SharedEntry& entry = region_->shared.entries[(home + probe) % kSharedSites];
    std::uint64_t expected = 0;
    const bool fresh = entry.key.compare_exchange_strong(expected, key, std::memory_order_acq_rel);
    if (!fresh && expected != key) continue;
    if (fresh) {
      shared_used_.fetch_add(1, std::memory_order_relaxed);
      live::note_page(*region_, &entry, sizeof entry);
    }
    if ((key & SiteKey::kRule) != 0) {
      entry.count.store(amount, std::memory_order_release);
    } else {
      entry.count.fetch_add(amount, std::memory_order_relaxed);
    }
    return;
  }
  if ((key & SiteKey::kRule) == 0) region_->shared.dropped.fetch_add(amount, std::memory_order_relaxed);
}

void SiteTable::count_real(unsigned clock) noexcept {
  if (ThreadTable* const table = attach()) {
    Arch::increment(table->real[clock]);
  } else {
    region_->shared.real[clock].fetch_add(1, std::memory_order_relaxed);
  }
}

}  // namespace clockshim
