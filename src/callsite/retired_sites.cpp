// Handles the sites of modules that dlclose() has unloaded. Part of SiteTable.
//
// A site whose module is unloaded is renamed: its counts stay where they are in the tables, but
// under a key that no call has. The new key is made from the old one and the numbers of the modules
// of its frames. So it is the same whichever module goes first, and it can be computed at a first
// call: a site whose modules are all loaded again takes up its old counts. A plug-in that is loaded
// and unloaded again and again needs room for its sites only once.
#include <atomic>

#include "callsite/full_stacks.h"
#include "callsite/site_table.h"
#include "live/modules.h"
#include "os/module.h"

namespace clockshim {

using live::kNamed;
using live::kSharedBits;
using live::kSharedSites;
using live::kThreadSites;
using live::kValid;
using live::ModuleRecord;
using live::SharedEntry;
using live::SiteRecord;
using live::ThreadTable;

namespace {

// One step of a retired key. It is one more than the module's number, because 0 stands for an
// unknown caller.
SiteKey with_module(SiteKey key, unsigned module) { return key.behind(module + 1); }

}  // namespace

// The key that `key` gets when it is retired. `key` belongs to a call by the frames of `chain`, or
// to what is behind them.
SiteKey SiteTable::retired_key(SiteKey key, const Frame* chain, unsigned depth) noexcept {
  for (unsigned i = 0; i < depth; ++i)
    key = with_module(key, live::module_of(*region_, chain[i].pc));
  return key;
}

// Renames a key in all tables. No thread counts under `from` meanwhile, because the code that would
// is unloaded.
void SiteTable::rename(SiteKey from, SiteKey to, bool only_rules) noexcept {
  // False: the slot is free, so the search ends.
  const auto look_at = [from, to, only_rules](auto&& key, auto&& count) {
    std::uint64_t there = key.load(std::memory_order_acquire);
    if ((there & ~SiteKey::kRule) != from.raw()) return there != 0;
    const std::uint64_t rule = there & SiteKey::kRule;
    if (rule == 0 && only_rules) return true;
    if (key.compare_exchange_strong(there, to.raw() | rule, std::memory_order_acq_rel) && rule != 0)
      count.store(0, std::memory_order_release);  // the rule is learned again when it is needed
    return true;
  };
  for (ThreadTable& table : region_->threads) {
    // Tables are taken in order, so the first one that no thread has had ends the search.
    if (std::atomic_ref(table.used).load(std::memory_order_relaxed) == 0 &&
        table.owner.load(std::memory_order_relaxed) == 0)
      break;
    for (unsigned probe = 0; probe < kThreadSites; ++probe) {
      ThreadTable::Entry& entry = table.entries[place(from, probe)];
      if (!look_at(std::atomic_ref(entry.key), std::atomic_ref(entry.count))) break;
    }
  }
  const unsigned home = from.home(kSharedBits);
  for (unsigned probe = 0; probe < kSharedSites; ++probe) {
    SharedEntry& entry = region_->shared.entries[(home + probe) % kSharedSites];
    if (!look_at(entry.key, entry.count)) break;
  }
}

// Retires a site, with the rules on the way to it from the first unloaded module on.
void SiteTable::retire(SiteRecord& site, const live::Modules& gone) noexcept {
  const SiteKey known{site.key.load(std::memory_order_relaxed)};
  SiteKey key{site.pc[0], known.clock(), known.function()};
  SiteKey retired = known;
  bool any = false;
  for (unsigned i = 0; i < site.exact_frames && site.module[i] != kNamed; ++i) {
    const unsigned module = site.module[i];
    if (module < live::kModules && gone[module]) any = true;
    // It was unloaded before. What has this key now, if anything has, belongs to another module.
    if (module < live::kModules && !gone[module] &&
        region_->modules[module].unloaded.load(std::memory_order_acquire) != 0)
      return;
    if (i > 0) key = key.behind(site.pc[i]);
    retired = with_module(retired, module);
    if (!any) continue;
    SiteKey to = key;
    for (unsigned frame = 0; frame <= i; ++frame) to = with_module(to, site.module[frame]);
    rename(key, to, true);  // a caller that is counted under this key has its own record
  }
  if (!any || site.retired.load(std::memory_order_acquire) != 0) return;
  rename(known, retired, false);
  site.key.store(retired.raw(), std::memory_order_release);
  site.retired.store(1, std::memory_order_release);
}

void SiteTable::retire(const live::Modules& gone) noexcept {
  for (unsigned i = 0; i < live::kModules; ++i) {
    if (!gone[i]) continue;
    const ModuleRecord& module = region_->modules[i];
    g_stacks.forget(module.start, module.end);
    g_cpython.forget(module.start);
  }
  for (unsigned i = 0; i < live::kSites; ++i) {
    if ((site_places_[i / 64].load(std::memory_order_acquire) >> i % 64 & 1U) == 0) continue;
    SiteRecord& site = region_->sites[i];
    if (site.state.load(std::memory_order_acquire) == kValid) retire(site, gone);
  }
}

void SiteTable::retire_unloaded(bool locked) noexcept {
  static std::atomic<std::uint64_t> seen{0};
  const std::uint64_t unloaded = modules_unloaded();
  if (seen.exchange(unloaded, std::memory_order_relaxed) == unloaded)
    return;  // others still use it
  const auto look = [](void* sites) {
    SiteTable& self = *static_cast<SiteTable*>(sites);
    if (const live::Modules gone = live::mark_unloaded(*self.region_); gone.any())
      self.retire(gone);
  };
  if (locked) {
    look(this);
  } else {
    while_none_is_unloaded(look, this);
  }
}

}  // namespace clockshim
