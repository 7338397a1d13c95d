// What is done once for each key: finding out whether its frame is a wrapper's and how to get to
// its caller, and writing down a new site. Part of SiteTable.
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

// A new site is dropped if no slot is free within so many steps from its home. A chain is then
// counted under its wrapper; a caller has no such fallback, so its search goes further.
constexpr unsigned kChainProbes = 64;
constexpr unsigned kCallerProbes = 256;

// Handles a key that this thread has not counted yet. True: its frame has to be walked by `rule`.
// False: the call is counted.
bool SiteTable::first_sight(SiteKey key, const Frame* chain, unsigned depth, ThreadTable* table,
                            FrameRule& rule) noexcept {
  if (count_without_site(key, chain, depth)) return false;
  const Frame& frame = chain[depth - 1];
  Module module;
  if (depth <= kMaxWalked && !crowded() && find_module(frame.pc, module)) {
    const CPythonIs python = python_behind(module, chain, depth);
    // Where Python runs, its functions are the callers, not the interpreter's: CLOCKSHIM_DEPTH
    // applies to those.
    const bool walked = (depth <= always_walked_ && python != CPythonIs::known) ||
                        in_wrapper(module, frame.pc, depth);
    const bool learned = walked && rule_from_table(module, frame.pc, rule);
    if (!learned) rule = FrameRule{.interpreted = python == CPythonIs::known};
    if (learned || rule.interpreted) {
      insert(table, key.raw() | SiteKey::kRule, rule.packed(),
             retired_key(key, chain, depth).raw());
      return true;
    }
  }
  count_new(key, chain, depth, table);
  return false;
}

// Chains can be many: a program's callers, times their callers, and so on. So 1/8 of the tables is
// kept for plain callers. When the rest is full, new chains are counted under their wrapper instead
// of being dropped.
bool SiteTable::crowded() const noexcept {
  return shared_used_.load(std::memory_order_relaxed) >= kSharedSites * 7 / 8 ||
         sites_used_.load(std::memory_order_relaxed) >= kSitesForChains;
}

// Counts a call that has no room for a site of its own, together with others of its kind. This has
// to be cheap, because each such call comes here. True: counted.
bool SiteTable::count_without_site(SiteKey key, const Frame* chain, unsigned depth) noexcept {
  if (knows(key)) return false;
  if (depth > 1 && crowded()) {
    count_wrapper(key, chain);
    return true;
  }
  if (full()) {
    count_folded(SiteKey::kOtherCallers, key, chain[0]);
    return true;
  }
  if (!generated_full()) return false;
  Module module;
  if (find_module(chain[depth - 1].pc, module)) return false;
  count_folded(SiteKey::kGeneratedCode, key, chain[0]);
  return true;
}

// Counts a call whose rule leads off the stack, this once, under a key of its own. If it used the
// frame's own key, other threads would find that, and no longer walk on from there.
void SiteTable::count_unwalked(SiteKey key, const Frame* chain, unsigned depth) noexcept {
  count_new(key.behind(0), chain, depth, nullptr);
}

void SiteTable::count_new(SiteKey key, const Frame* chain, unsigned depth, ThreadTable* table,
                          const PythonFrames* python) noexcept {
  const std::uint64_t retired = retired_key(key, chain, depth).raw();
  if (add_site(key, retired, chain, depth, python) && insert(table, key.raw(), 1, retired)) return;
  // No slot near its home is free, though the tables have room. Its wrapper may find one.
  if (depth > 1) return count_wrapper(key, chain);
  count_folded(SiteKey::kOtherCallers, key, chain[0]);
}

// Counts a chain's call under the chain's first frame alone.
void SiteTable::count_wrapper(SiteKey key, const Frame* chain) noexcept {
  const SiteKey wrapper = SiteKey{chain[0].pc, key.clock(), key.function()}.behind(0);
  FrameRule none;
  ThreadTable::Entry* mine = nullptr;
  if (look_up(this->mine(), wrapper, none, mine) != Found::counted)
    count_new(wrapper, chain, 1, this->mine());
}

// Stores a site: the exact frames of its chain, and the stack behind them as it is now. False:
// there is no room for it.
//
// Whoever finds a record that was begun completes it, because its writer may never come back (a
// signal handler may have jumped over it). The key determines the exact frames, so both write the
// same. Only the first writer adds the stack behind them. Until that is done, perhaps for good, the
// site has just its exact frames.
bool SiteTable::add_site(SiteKey key, std::uint64_t retired, const Frame* chain, unsigned depth,
                         const PythonFrames* python) noexcept {
  if (full() && !knows(key)) return false;
  const unsigned home = key.home(kSiteBits);
  const unsigned probes = depth > 1 ? kChainProbes : kCallerProbes;
  for (unsigned probe = 0; probe < probes; ++probe) {
    SiteRecord& site = region_->sites[(home + probe) % kSites];
    std::uint64_t there = site.key.load(std::memory_order_acquire);
    bool first = false;
    if (there == 0) {
      if (full()) return false;
      note(key);
      first = site.key.compare_exchange_strong(there, key.raw(), std::memory_order_acq_rel);
      if (first) there = key.raw();
    } else if (there == retired && there != key.raw()) {
      // Its modules are loaded again. Another thread that finds this out at the same time does the
      // same.
      if (site.key.compare_exchange_strong(there, key.raw(), std::memory_order_acq_rel))
        there = key.raw();
      if (there == key.raw()) site.retired.store(0, std::memory_order_release);
    }
    if (there != key.raw()) continue;
    if (site.state.load(std::memory_order_acquire) == kValid) return true;
    if (first) sites_used_.fetch_add(1, std::memory_order_relaxed);
    live::note_page(*region_, &site, sizeof site);
    unsigned exact = 0;
    for (; exact < std::min(depth, kSiteDepth); ++exact) {
      site.pc[exact] = chain[exact].pc;
      site.module[exact] = static_cast<std::uint16_t>(live::module_of(*region_, chain[exact].pc));
    }
    Module module;
    if (first && (python == nullptr || python->count == 0) &&
        !find_module(chain[depth - 1].pc, module))
      generated_used_.fetch_add(1, std::memory_order_relaxed);
    for (unsigned i = 0; python != nullptr && i < python->count && exact < kSiteDepth;
         ++i, ++exact) {
      site.pc[exact] = python->numbers[i];
      site.module[exact] = live::kNamed;
    }
    site.exact_frames = static_cast<std::uint8_t>(exact);
    std::uint8_t none = 0;
    const std::atomic_ref frames{site.frames};
    frames.compare_exchange_strong(none, site.exact_frames, std::memory_order_release);
    const auto place = static_cast<unsigned>(&site - region_->sites);
    site_places_[place / 64].fetch_or(1ULL << place % 64, std::memory_order_release);
    site.state.store(kValid, std::memory_order_release);
    if (!first) return true;
    const unsigned all = python != nullptr && python->count != 0
                             ? add_first_seen_python(site, exact, python->frames[python->count - 1])
                             : add_first_seen(site, exact, chain[depth - 1]);
    frames.store(static_cast<std::uint8_t>(all), std::memory_order_release);
    return true;
  }
  return false;
}

// Writes the frames behind the exact ones, and returns the number of all frames.
unsigned SiteTable::add_first_seen(SiteRecord& site, unsigned exact, const Frame& last) noexcept {
  bool cut = false;
  const unsigned all = exact + g_stacks.walk(last, site.pc + exact, kSiteDepth - exact, cut);
  for (unsigned i = exact; i < all; ++i)
    site.module[i] = static_cast<std::uint16_t>(live::module_of(*region_, site.pc[i]));
  return all;
}

}  // namespace clockshim
