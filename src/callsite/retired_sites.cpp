// Sites of modules that dlclose() has taken away. Part of SiteTable.
#include <atomic>

#include "callsite/full_stacks.h"
#include "callsite/site_table.h"
#include "live/modules.h"

namespace clockshim {

using live::kValid;
using live::ModuleRecord;
using live::SharedEntry;
using live::SiteRecord;
using live::ThreadTable;

// The new key is made of the old one and `generation`, and stays in the old one's place, so that searches go past it as before.
// Nobody counts under the old one meanwhile: its code is gone. (A wrapper's rule may be in use for other callers: they learn it anew.)
void SiteTable::retire(SiteKey key, std::uint64_t generation) noexcept {
  const std::uint64_t to = key.behind(generation).raw();
  const auto exchange = [&](auto&& word, std::uint64_t bit) {
    std::uint64_t from = key.raw() | bit;
    return word.compare_exchange_strong(from, to | bit, std::memory_order_acq_rel);
  };
  for (ThreadTable& table : region_->threads) {
    if (std::atomic_ref(table.used).load(std::memory_order_relaxed) == 0) continue;
    for (ThreadTable::Entry& entry : table.entries) {
      if (!exchange(std::atomic_ref(entry.key), 0)) exchange(std::atomic_ref(entry.key), SiteKey::kRule);
    }
  }
  for (SharedEntry& entry : region_->shared.entries) {
    if (!exchange(entry.key, 0)) exchange(entry.key, SiteKey::kRule);
  }
  for (SiteRecord& site : region_->sites) exchange(site.key, 0);
}

void SiteTable::retire_unloaded() noexcept {
  live::for_each_gone(*region_, [this](const ModuleRecord& module) {
    g_stacks.forget(module.start, module.end);
    g_cpython.forget(module.start);
    const auto generation = static_cast<std::uint64_t>(&module - region_->modules) + 1;
    for (SiteRecord& site : region_->sites) {
      if (site.state.load(std::memory_order_acquire) != kValid) continue;
      bool in_it = false;
      for (unsigned i = 0; i < site.exact_frames; ++i)
        in_it = in_it || (site.module[i] != live::kNamed && site.pc[i] - module.start < module.end - module.start);
      if (!in_it) continue;
      // With the rules on the way to it.
      const SiteKey known{site.key.load(std::memory_order_relaxed)};
      SiteKey key{site.pc[0], known.clock(), known.function()};
      for (unsigned i = 1; i < site.exact_frames; ++i) {
        retire(key, generation);
        if (site.module[i] == live::kNamed) break;  // from here on there are no rules
        key = key.behind(site.pc[i]);
      }
      retire(known, generation);
    }
  });
}

}  // namespace clockshim
