#include "callsite/retire_unloaded.h"

#include <atomic>

#include "callsite/full_stacks.h"
#include "callsite/python/cpython.h"
#include "live/modules.h"
#include "os/module.h"

namespace clockshim {

using live::ModuleRecord;
using live::SiteRecord;

namespace {

// One step of a retired key. It is one more than the module's number, because 0 stands for an
// unknown caller.
SiteKey with_module(SiteKey key, unsigned module) { return key.behind(module + 1); }

// Retires a site, with the rules on the way to it from the first unloaded module on.
void retire(SiteRecord& site, const live::Region& region, const live::Modules& gone,
            CallCounts& counts) noexcept {
  const SiteKey known{site.key.load(std::memory_order_relaxed)};
  SiteKey key{site.pc[0], known.clock(), known.function()};
  SiteKey retired = known;
  bool any = false;
  for (unsigned i = 0; i < site.exact_frames && site.module[i] != live::kNamed; ++i) {
    const unsigned module = site.module[i];
    if (module < live::kModules && gone[module]) any = true;
    // It was unloaded before. What has this key now, if anything has, belongs to another module.
    if (module < live::kModules && !gone[module] &&
        region.modules[module].unloaded.load(std::memory_order_acquire) != 0)
      return;
    if (i > 0) key = key.behind(site.pc[i]);
    retired = with_module(retired, module);
    if (!any) continue;
    SiteKey to = key;
    for (unsigned frame = 0; frame <= i; ++frame) to = with_module(to, site.module[frame]);
    counts.rename(key, to, true);  // a caller that is counted under this key has its own record
  }
  if (!any || site.retired.load(std::memory_order_acquire) != 0) return;
  counts.rename(known, retired, false);
  site.key.store(retired.raw(), std::memory_order_release);
  site.retired.store(1, std::memory_order_release);
}

void retire(const live::Modules& gone, SiteRegistry& sites, CallCounts& counts) noexcept {
  const live::Region& region = sites.region();
  for (unsigned i = 0; i < live::kModules; ++i) {
    if (!gone[i]) continue;
    const ModuleRecord& module = region.modules[i];
    g_stacks.forget(module.start, module.end);
    g_cpython.forget(module.start);
  }
  sites.for_each([&](SiteRecord& site) { retire(site, region, gone, counts); });
}

}  // namespace

SiteKey retired_key(live::Region& region, SiteKey key, const Frame* chain,
                    unsigned depth) noexcept {
  for (unsigned i = 0; i < depth; ++i) key = with_module(key, live::module_of(region, chain[i].pc));
  return key;
}

void retire_unloaded(SiteRegistry& sites, CallCounts& counts, bool locked) noexcept {
  static std::atomic<std::uint64_t> seen{0};
  const std::uint64_t unloaded = modules_unloaded();
  if (seen.exchange(unloaded, std::memory_order_relaxed) == unloaded)
    return;  // others still use it
  struct Tables {
    SiteRegistry& sites;
    CallCounts& counts;
  } tables{sites, counts};
  const auto look = [](void* argument) {
    const Tables& all = *static_cast<Tables*>(argument);
    if (const live::Modules gone = live::mark_unloaded(all.sites.region()); gone.any())
      retire(gone, all.sites, all.counts);
  };
  if (locked) {
    look(&tables);
  } else {
    while_none_is_unloaded(look, &tables);
  }
}

}  // namespace clockshim
