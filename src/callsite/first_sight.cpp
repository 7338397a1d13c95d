// What is done once for each key: whether its frame is a wrapper's and how to get to its caller, and what is written down of a new site.
// Part of SiteTable.
#include <algorithm>

#include "callsite/full_stacks.h"
#include "callsite/learning_guard.h"
#include "callsite/site_table.h"
#include "callsite/wrappers.h"
#include "live/modules.h"
#include "os/module.h"

namespace clockshim {

using live::kFree;
using live::kSharedSites;
using live::kSiteBits;
using live::kSiteDepth;
using live::kSites;
using live::kValid;
using live::kWriting;
using live::SiteRecord;
using live::ThreadTable;

// A key that has not found its place among the sites within so many has none.
constexpr unsigned kSiteProbes = 64;

// A key that this thread has not counted yet. True: its frame is to be walked, and `rule` leads on. False: counted.
bool SiteTable::first_sight(SiteKey key, const Frame* chain, unsigned depth, ThreadTable* table, FrameRule& rule) noexcept {
  if (count_without_site(key, chain, depth)) return false;
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
      insert(table, key.raw() | SiteKey::kRule, rule.packed(),
             retired_key(key, chain, depth).raw());
      return true;
    }
  }
  count_new(key, chain, depth, table, guard.held());
  return false;
}

// Chains can be many: a program's callers, times their callers, and so on.
bool SiteTable::crowded() const noexcept {
  return shared_used_.load(std::memory_order_relaxed) >= kSharedSites * 7 / 8 ||
         sites_used_.load(std::memory_order_relaxed) >= kSitesForChains;
}

// A call that there is no room to tell apart from others. It is counted all the same, with them, and
// for few loads more than any other call: each of its kind comes here. True: counted.
bool SiteTable::count_without_site(SiteKey key, const Frame* chain, unsigned depth) noexcept {
  if (knows(key)) return false;
  if (depth > 1 && crowded()) {  // under its wrapper
    const SiteKey wrapper = SiteKey{chain[0].pc, key.clock(), key.function()}.behind(0);
    FrameRule none;
    ThreadTable::Entry* mine = nullptr;
    if (look_up(this->mine(), wrapper, none, mine) != Found::counted) count_new(wrapper, chain, 1, this->mine(), false);
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

// This once, because libunwind is taken or because the rule leads off the stack. Under a key of its own: the frame's own key would be
// found by other threads, which would not walk from there on any more.
void SiteTable::count_unwalked(SiteKey key, const Frame* chain, unsigned depth) noexcept {
  count_new(key.behind(0), chain, depth, nullptr, false);
}

void SiteTable::count_new(SiteKey key, const Frame* chain, unsigned depth, ThreadTable* table, bool may_learn,
                          const PythonFrames* python) noexcept {
  const std::uint64_t retired = retired_key(key, chain, depth).raw();
  if (!add_site(key, retired, chain, depth, may_learn, python) ||
      !insert(table, key.raw(), 1, retired))
    count_folded(SiteKey::kOtherCallers, key, chain[0]);
}

// Keeps what the site is: the exact frames of its chain and, where libunwind is free, the stack behind
// them as it is now. False: there is no room for it.
bool SiteTable::add_site(SiteKey key, std::uint64_t retired, const Frame* chain, unsigned depth,
                         bool may_learn, const PythonFrames* python) noexcept {
  if (full() && !knows(key)) return false;
  const unsigned home = key.home(kSiteBits);
  for (unsigned probe = 0; probe < kSiteProbes; ++probe) {
    SiteRecord& site = region_->sites[(home + probe) % kSites];
    std::uint64_t there = site.key.load(std::memory_order_acquire);
    if (there == 0) {
      if (full()) return false;
      note(key);
      if (site.key.compare_exchange_strong(there, key.raw(), std::memory_order_acq_rel))
        there = key.raw();
    } else if (there == retired && there != key.raw()) {
      // Its modules are back. Whoever else has just found out has done the same.
      if (site.key.compare_exchange_strong(there, key.raw(), std::memory_order_acq_rel))
        there = key.raw();
      if (there == key.raw()) site.retired.store(0, std::memory_order_release);
    }
    if (there != key.raw()) continue;
    std::uint32_t state = kFree;
    if (!site.state.compare_exchange_strong(state, kWriting, std::memory_order_acq_rel)) return true;  // known, or at it
    sites_used_.fetch_add(1, std::memory_order_relaxed);
    live::note_page(*region_, &site, sizeof site);
    site.frames = 0;
    for (; site.frames < std::min(depth, kSiteDepth); ++site.frames) {
      site.pc[site.frames] = chain[site.frames].pc;
      site.module[site.frames] = static_cast<std::uint16_t>(live::module_of(*region_, chain[site.frames].pc));
    }
    Module module;
    if ((python == nullptr || python->count == 0) && !find_module(chain[depth - 1].pc, module))
      generated_used_.fetch_add(1, std::memory_order_relaxed);
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
    const auto place = static_cast<unsigned>(&site - region_->sites);
    site_places_[place / 64].fetch_or(1ULL << place % 64, std::memory_order_release);
    site.state.store(kValid, std::memory_order_release);
    return true;
  }
  return false;
}

void SiteTable::add_first_seen(SiteRecord& site, const Frame& last) noexcept {
  bool cut = false;
  const unsigned known = site.frames;
  site.frames = static_cast<std::uint8_t>(known + g_stacks.walk(last, site.pc + known, kSiteDepth - known, true, cut));
  for (unsigned i = known; i < site.frames; ++i) site.module[i] = static_cast<std::uint16_t>(live::module_of(*region_, site.pc[i]));
}

}  // namespace clockshim
