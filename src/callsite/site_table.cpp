#include "callsite/site_table.h"

#include <algorithm>
#include <cstring>

#include "callsite/full_stacks.h"
#include "callsite/learning_guard.h"
#include "callsite/wrappers.h"
#include "live/modules.h"
#include "live/region.h"
#include "os/module.h"
#include "os/thread_index.h"

namespace clockshim {

namespace {

using live::kFree;
using live::kSharedBits;
using live::kSharedSites;
using live::kSiteBits;
using live::kSiteDepth;
using live::kSites;
using live::kThreadSites;
using live::kValid;
using live::kWriting;
using live::SharedEntry;
using live::SiteRecord;
using live::ThreadTable;

// Whether a rule leads to a place on the frame's stack. A frame of the application may be large: then the stack must be one of which it
// is certain how far it reaches.
bool leads_up(const FrameRule& rule, const Frame& frame) noexcept {
  if (CLOCKSHIM_LIKELY(rule.leads_near(frame))) return true;
  const std::uintptr_t cfa = rule.cfa(frame);
  return cfa > frame.stack && cfa <= stack_limit(frame.stack);
}

}  // namespace

CLOCKSHIM_TLS ThreadTable* SiteTable::t_table_ = nullptr;
CLOCKSHIM_TLS ChainMemos* SiteTable::t_memos_ = nullptr;
CLOCKSHIM_TLS ThreadTable* SiteTable::t_mine_ = nullptr;
CLOCKSHIM_TLS bool SiteTable::t_no_table_ = false;

constinit SiteTable g_sites{live::g_region};

// A table that is free, or that a thread in the same place left behind when it ended without a word. Whoever had it before counts on.
ThreadTable* SiteTable::attach() noexcept {
  if (t_mine_ != nullptr || t_no_table_) return t_mine_;
  this_thread_index();  // takes part in release_at_thread_end()
  const std::uint64_t me = Arch::thread_pointer();
  for (ThreadTable& table : region_.threads) {
    std::uint64_t owner = table.owner.load(std::memory_order_acquire);
    if (owner == me || (owner == 0 && table.owner.compare_exchange_strong(owner, me, std::memory_order_acq_rel))) {
      if (g_stacks.every() == 0) {  // else each call comes here, to be sampled or not
        t_memos_ = &g_memos[&table - region_.threads];
        t_table_ = &table;
      }
      return t_mine_ = &table;
    }
  }
  t_no_table_ = true;
  return nullptr;
}

void SiteTable::detach() noexcept {
  ThreadTable* const table = t_mine_;
  t_memos_ = nullptr;
  t_table_ = nullptr;  // first: a signal handler from here on takes a table of its own
  t_mine_ = nullptr;
  t_no_table_ = false;
  if (table != nullptr) table->owner.store(0, std::memory_order_release);
}

void SiteTable::attach_again() noexcept {
  for (auto* const used : {&shared_used_, &sites_used_, &names_used_}) used->store(0, std::memory_order_relaxed);
  if (t_mine_ == nullptr) return;
  t_mine_ = &region_.threads[0];
  t_mine_->owner.store(Arch::thread_pointer(), std::memory_order_relaxed);
  if (t_table_ != nullptr) t_table_ = t_mine_;
}

void SiteTable::count_elsewhere(SiteKey key, const Frame& caller) noexcept {
  if (t_memos_ != nullptr) {
    std::uint64_t last = 0;
    const unsigned depth = t_memos_->of(key, caller).find_interpreted(key, caller, last);
    if (depth != 0 && count_python_again(SiteKey{last}, depth)) return;
  }
  ThreadTable* const table = attach();
  Frame chain[kMaxWalked + 1];
  chain[0] = caller;
  const unsigned in_c = count_by_chain(key, chain, table);
  if (g_stacks.due()) {
    const LearningGuard guard(learning_);
    sample(key, chain, in_c, guard.held());
  }
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

// In this thread's table, else in the shared one. A rule entry whose word is still 0 is being written by the code that we,
// a signal handler, have interrupted: this call is counted under the wrapper itself.
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
  const unsigned home = key.home(kSharedBits);
  for (unsigned probe = 0; probe < kSharedSites; ++probe) {
    SharedEntry& entry = region_.shared.entries[(home + probe) % kSharedSites];
    const std::uint64_t there = entry.key.load(std::memory_order_acquire);
    if (there == 0) break;
    const std::uint64_t word = entry.count.load(std::memory_order_acquire);
    if (there == key.raw()) {
      entry.count.fetch_add(1, std::memory_order_relaxed);
      return Found::counted;
    }
    if (there == (key.raw() | SiteKey::kRule) && word != 0) {
      rule = FrameRule::unpacked(word);
      return Found::rule;
    }
  }
  return Found::nothing;
}

// A key that this thread has not counted yet. True: its frame is to be walked, and `rule` leads on. False: counted.
bool SiteTable::first_sight(SiteKey key, const Frame* chain, unsigned depth, ThreadTable* table, FrameRule& rule) noexcept {
  const LearningGuard guard(learning_);
  const Frame& frame = chain[depth - 1];
  Module module;
  if (depth <= kMaxWalked && !crowded() && find_module(frame.pc, module)) {
    const CPythonIs python = python_behind(module, chain, depth);
    // Where Python runs, its functions are who asks, not the interpreter's: CLOCKSHIM_DEPTH is for those.
    const bool walked = (depth <= always_walked_ && python != CPythonIs::known) || in_wrapper(module, frame.pc, depth);
    if (walked && !guard.held() && python == CPythonIs::known) {  // its functions are found from any frame
      count_interpreted(key.behind(0), chain, depth, nullptr);
      return false;
    }
    if ((walked && !guard.held()) || python == CPythonIs::undecided) {
      count_unwalked(key, chain, depth);
      return false;
    }
    const bool learned = walked && learn_rule(frame.pc, rule);
    if (!learned) rule = FrameRule{.interpreted = python == CPythonIs::known};
    if (learned || rule.interpreted) {
      insert(table, key.raw() | SiteKey::kRule, rule.packed());
      return true;
    }
  }
  count_new(key, chain, depth, table, guard.held());
  return false;
}

// Chains can be many: a program's callers, times their callers, and so on. Some room is kept for those that are none, under which
// further chains are counted too: less is told of those calls, but none is dropped.
bool SiteTable::crowded() const noexcept {
  return shared_used_.load(std::memory_order_relaxed) >= kSharedSites * 7 / 8 ||
         sites_used_.load(std::memory_order_relaxed) >= kSites * 7 / 8;
}

// This once, because libunwind is taken or because the rule leads off the stack. Under a key of its own: the frame's own key would be
// found by other threads, which would not walk from there on any more.
void SiteTable::count_unwalked(SiteKey key, const Frame* chain, unsigned depth) noexcept {
  count_new(key.behind(0), chain, depth, nullptr, false);
}

void SiteTable::count_new(SiteKey key, const Frame* chain, unsigned depth, ThreadTable* table, bool may_learn,
                          const PythonFrames* python) noexcept {
  if (depth > 1 && crowded()) {
    key = SiteKey{chain[0].pc, key.clock(), key.function()};
    depth = 1;
    table = nullptr;  // there the rule stands that leads on
    python = nullptr;
  }
  add_site(key, chain, depth, may_learn, python);
  insert(table, key.raw(), 1);
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
    SharedEntry& entry = region_.shared.entries[(home + probe) % kSharedSites];
    std::uint64_t expected = 0;
    const bool fresh = entry.key.compare_exchange_strong(expected, key, std::memory_order_acq_rel);
    if (!fresh && expected != key) continue;
    if (fresh) shared_used_.fetch_add(1, std::memory_order_relaxed);
    if ((key & SiteKey::kRule) != 0) {
      entry.count.store(amount, std::memory_order_release);
    } else {
      entry.count.fetch_add(amount, std::memory_order_relaxed);
    }
    return;
  }
  if ((key & SiteKey::kRule) == 0) region_.shared.dropped.fetch_add(amount, std::memory_order_relaxed);
}

void SiteTable::count_real(unsigned clock) noexcept {
  if (ThreadTable* const table = attach()) {
    Arch::increment(table->real[clock]);
  } else {
    region_.shared.real[clock].fetch_add(1, std::memory_order_relaxed);
  }
}

// Keeps what the site is: the exact frames of its chain and, where libunwind is free, the stack behind them as it is now.
void SiteTable::add_site(SiteKey key, const Frame* chain, unsigned depth, bool may_learn, const PythonFrames* python) noexcept {
  const unsigned home = key.home(kSiteBits);
  for (unsigned probe = 0; probe < kSites; ++probe) {
    SiteRecord& site = region_.sites[(home + probe) % kSites];
    std::uint64_t expected = 0;
    if (!site.key.compare_exchange_strong(expected, key.raw(), std::memory_order_acq_rel) && expected != key.raw()) continue;
    std::uint32_t state = kFree;
    if (!site.state.compare_exchange_strong(state, kWriting, std::memory_order_acq_rel)) return;  // known, or at it
    sites_used_.fetch_add(1, std::memory_order_relaxed);
    site.frames = 0;
    for (; site.frames < std::min(depth, kSiteDepth); ++site.frames) {
      site.pc[site.frames] = chain[site.frames].pc;
      site.module[site.frames] = static_cast<std::uint16_t>(live::module_of(region_, chain[site.frames].pc));
    }
    for (unsigned i = 0; python != nullptr && i < python->count && site.frames < kSiteDepth; ++i, ++site.frames) {
      site.pc[site.frames] = python->numbers[i];
      site.module[site.frames] = live::kNamed;
    }
    site.exact_frames = site.frames;
    if (python != nullptr && python->count != 0) {
      add_first_seen_python(site, python->frames[python->count - 1]);
    } else if (may_learn) {
      add_first_seen(site, chain[depth - 1]);
    }
    site.state.store(kValid, std::memory_order_release);
    return;
  }
}

void SiteTable::add_first_seen(SiteRecord& site, const Frame& last) noexcept {
  bool cut = false;
  const unsigned known = site.frames;
  site.frames = static_cast<std::uint8_t>(known + g_stacks.walk(last, site.pc + known, kSiteDepth - known, true, cut));
  for (unsigned i = known; i < site.frames; ++i) site.module[i] = static_cast<std::uint16_t>(live::module_of(region_, site.pc[i]));
}

}  // namespace clockshim
