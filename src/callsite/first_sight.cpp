// What is done once for each key: whether its frame is a wrapper's and how to get to its caller, and what is written down of a new site.
// Part of SiteTable.
#include <algorithm>

#include "callsite/full_stacks.h"
#include "callsite/site_table.h"
#include "callsite/wrappers.h"
#include "live/modules.h"
#include "os/module.h"

namespace clockshim {

using live::kSharedSites;
using live::kSiteBits;
using live::kSiteDepth;
using live::kSites;
using live::kValid;
using live::SiteRecord;
using live::ThreadTable;

// A key that this thread has not counted yet. True: its frame is to be walked, and `rule` leads on. False: counted.
bool SiteTable::first_sight(SiteKey key, const Frame* chain, unsigned depth, ThreadTable* table, FrameRule& rule) noexcept {
  const Frame& frame = chain[depth - 1];
  Module module;
  if (depth <= kMaxWalked && !crowded() && find_module(frame.pc, module)) {
    const CPythonIs python = python_behind(module, chain, depth);
    // Where Python runs, its functions are who asks, not the interpreter's: CLOCKSHIM_DEPTH is for those.
    const bool walked = (depth <= always_walked_ && python != CPythonIs::known) || in_wrapper(module, frame.pc, depth);
    const bool learned = walked && rule_from_table(module, frame.pc, rule);
    if (!learned) rule = FrameRule{.interpreted = python == CPythonIs::known};
    if (learned || rule.interpreted) {
      insert(table, key.raw() | SiteKey::kRule, rule.packed());
      return true;
    }
  }
  count_new(key, chain, depth, table);
  return false;
}

// Chains can be many: a program's callers, times their callers, and so on. Some room is kept for those that are none, under which
// further chains are counted too: less is told of those calls, but none is dropped.
bool SiteTable::crowded() const noexcept {
  return shared_used_.load(std::memory_order_relaxed) >= kSharedSites * 7 / 8 ||
         sites_used_.load(std::memory_order_relaxed) >= kSites * 7 / 8;
}

// This once, because the rule leads off the stack. Under a key of its own: the frame's own key would be
// found by other threads, which would not walk from there on any more.
void SiteTable::count_unwalked(SiteKey key, const Frame* chain, unsigned depth) noexcept {
  count_new(key.behind(0), chain, depth, nullptr);
}

void SiteTable::count_new(SiteKey key, const Frame* chain, unsigned depth, ThreadTable* table,
                          const PythonFrames* python) noexcept {
  if (depth > 1 && crowded()) {
    key = SiteKey{chain[0].pc, key.clock(), key.function()};
    depth = 1;
    table = nullptr;  // there the rule stands that leads on
    python = nullptr;
  }
  add_site(key, chain, depth, python);
  insert(table, key.raw(), 1);
}

// Keeps what the site is: the exact frames of its chain and the stack behind them as it is now.
//
// Whoever finds the record begun finishes it, because the other may not come back: a signal handler may
// have jumped over it. What is exact follows from the key, so both write the same. The stack behind it
// is written by the first alone; until that is done, or for good, the site has its exact frames.
void SiteTable::add_site(SiteKey key, const Frame* chain, unsigned depth, const PythonFrames* python) noexcept {
  const unsigned home = key.home(kSiteBits);
  for (unsigned probe = 0; probe < kSites; ++probe) {
    SiteRecord& site = region_->sites[(home + probe) % kSites];
    std::uint64_t expected = 0;
    if (!site.key.compare_exchange_strong(expected, key.raw(), std::memory_order_acq_rel) && expected != key.raw()) continue;
    if (site.state.load(std::memory_order_acquire) == kValid) return;
    const bool first = expected == 0;
    if (first) sites_used_.fetch_add(1, std::memory_order_relaxed);
    live::note_page(*region_, &site, sizeof site);
    unsigned exact = 0;
    for (; exact < std::min(depth, kSiteDepth); ++exact) {
      site.pc[exact] = chain[exact].pc;
      site.module[exact] = static_cast<std::uint16_t>(live::module_of(*region_, chain[exact].pc));
    }
    for (unsigned i = 0; python != nullptr && i < python->count && exact < kSiteDepth; ++i, ++exact) {
      site.pc[exact] = python->numbers[i];
      site.module[exact] = live::kNamed;
    }
    site.exact_frames = static_cast<std::uint8_t>(exact);
    std::uint8_t none = 0;
    const std::atomic_ref frames{site.frames};
    frames.compare_exchange_strong(none, site.exact_frames, std::memory_order_release);
    site.state.store(kValid, std::memory_order_release);
    if (!first) return;
    const unsigned all = python != nullptr && python->count != 0
                             ? add_first_seen_python(site, exact, python->frames[python->count - 1])
                             : add_first_seen(site, exact, chain[depth - 1]);
    frames.store(static_cast<std::uint8_t>(all), std::memory_order_release);
    return;
  }
}

// Writes the frames behind the exact ones. Returns how many there are in all.
unsigned SiteTable::add_first_seen(SiteRecord& site, unsigned exact, const Frame& last) noexcept {
  bool cut = false;
  const unsigned all = exact + g_stacks.walk(last, site.pc + exact, kSiteDepth - exact, cut);
  for (unsigned i = exact; i < all; ++i) site.module[i] = static_cast<std::uint16_t>(live::module_of(*region_, site.pc[i]));
  return all;
}

}  // namespace clockshim
