#include "callsite/first_calls.h"

#include "callsite/full_stacks.h"
#include "callsite/retire_unloaded.h"
#include "callsite/thread_counts.h"
#include "live/modules.h"
#include "os/module.h"

namespace clockshim {

using live::kSiteDepth;
using live::SiteRecord;
using live::ThreadTable;

bool FirstCalls::count_without_site(SiteKey key, const Frame* chain, unsigned depth) noexcept {
  if (counts_.may_know(key)) return false;
  if (depth > 1 && crowded()) {
    count_wrapper(key, chain);
    return true;
  }
  if (sites_.full()) {
    counts_.count_folded(SiteKey::kOtherCallers, key, chain[0]);
    return true;
  }
  if (!sites_.generated_full()) return false;
  Module module;
  if (find_module(chain[depth - 1].pc, module)) return false;
  counts_.count_folded(SiteKey::kGeneratedCode, key, chain[0]);
  return true;
}

void FirstCalls::count_new(SiteKey key, const Frame* chain, unsigned depth, ThreadTable* table,
                           const PythonFrames* python) noexcept {
  live::Region& region = sites_.region();
  const SiteKey retired = retired_key(region, key, chain, depth);
  const SiteRegistry::Added added = sites_.add(key, retired, chain, depth, python);
  if (added.fresh != nullptr) {
    const bool interpreted = python != nullptr && python->count != 0;
    SiteRegistry::add_frames(
        *added.fresh, interpreted ? python_.first_stack(region, *added.fresh, added.exact,
                                                        python->frames[python->count - 1])
                                  : first_stack(*added.fresh, added.exact, chain[depth - 1]));
  }
  if (added.stored && counts_.add(table, key.raw(), 1, retired.raw())) return;
  // No slot near its home is free, though the tables have room. Its wrapper may find one.
  if (depth > 1) return count_wrapper(key, chain);
  counts_.count_folded(SiteKey::kOtherCallers, key, chain[0]);
}

// Counts a chain's call under the chain's first frame alone.
void FirstCalls::count_wrapper(SiteKey key, const Frame* chain) noexcept {
  const SiteKey wrapper = SiteKey{chain[0].pc, key.clock(), key.function()}.behind(0);
  ThreadTable* const table = ThreadCounts::attached();
  FrameRule none;
  ThreadTable::Entry* mine = nullptr;
  if (counts_.count(table, wrapper, none, mine) != CallCounts::Found::counted)
    count_new(wrapper, chain, 1, table);
}

// Writes the frames behind the exact ones, and returns the number of all frames.
unsigned FirstCalls::first_stack(SiteRecord& site, unsigned exact,
                                 const Frame& last) const noexcept {
  live::Region& region = sites_.region();
  bool cut = false;
  const unsigned all = exact + g_stacks.walk(last, site.pc + exact, kSiteDepth - exact, cut);
  for (unsigned i = exact; i < all; ++i)
    site.module[i] = static_cast<std::uint16_t>(live::module_of(region, site.pc[i]));
  return all;
}

}  // namespace clockshim
