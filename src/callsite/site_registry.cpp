#include "callsite/site_registry.h"

#include <algorithm>

#include "live/modules.h"
#include "live/write_same.h"
#include "os/module.h"

namespace clockshim {

using live::kSiteBits;
using live::kSiteDepth;
using live::kSites;
using live::kValid;
using live::SiteRecord;
using live::write_same;

namespace {

// A new site is dropped if no slot is free within so many steps from its home. A chain is then
// counted under its wrapper; a caller has no such fallback, so its search goes further.
constexpr unsigned kChainProbes = 64;
constexpr unsigned kCallerProbes = 256;

}  // namespace

// Whoever finds a record that was begun completes it, because its writer may never come back (a
// signal handler may have jumped over it). The key determines the exact frames, so both write the
// same. Only the first writer, which may be overtaken, counts the site and adds the stack behind
// them. Until that is done, perhaps for good, the site has just its exact frames.
auto SiteRegistry::add(SiteKey key, SiteKey retired, const Frame* chain, unsigned depth,
                       const PythonFrames* python) noexcept -> Added {
  if (full() && !known_.may_contain(key)) return {};
  const unsigned home = key.home(kSiteBits);
  const unsigned probes = depth > 1 ? kChainProbes : kCallerProbes;
  for (unsigned probe = 0; probe < probes; ++probe) {
    SiteRecord& site = region_->sites[(home + probe) % kSites];
    std::uint64_t there = site.key.load(std::memory_order_acquire);
    bool first = false;
    if (there == 0) {
      if (full()) return {};
      known_.add(key);
      first = site.key.compare_exchange_strong(there, key.raw(), std::memory_order_acq_rel);
      if (first) there = key.raw();
    } else if (there == retired.raw() && there != key.raw()) {
      // Its modules are loaded again. Another thread that finds this out at the same time does the
      // same.
      if (site.key.compare_exchange_strong(there, key.raw(), std::memory_order_acq_rel))
        there = key.raw();
      if (there == key.raw()) site.retired.store(0, std::memory_order_release);
    }
    if (there != key.raw()) continue;
    if (!first && site.state.load(std::memory_order_acquire) == kValid) return {.stored = true};
    if (first) used_.fetch_add(1, std::memory_order_relaxed);
    live::note_page(*region_, &site, sizeof site);
    unsigned exact = 0;
    for (; exact < std::min(depth, kSiteDepth); ++exact) {
      write_same(site.pc[exact], chain[exact].pc);
      write_same(site.module[exact],
                 static_cast<std::uint16_t>(live::module_of(*region_, chain[exact].pc)));
    }
    Module module;
    if (first && (python == nullptr || python->count == 0) &&
        !find_module(chain[depth - 1].pc, module))
      generated_used_.fetch_add(1, std::memory_order_relaxed);
    for (unsigned i = 0; python != nullptr && i < python->count && exact < kSiteDepth;
         ++i, ++exact) {
      write_same(site.pc[exact], std::uint64_t{python->numbers[i]});
      write_same(site.module[exact], std::uint16_t{live::kNamed});
    }
    write_same(site.exact_frames, static_cast<std::uint8_t>(exact));
    std::uint8_t none = 0;
    std::atomic_ref(site.frames)
        .compare_exchange_strong(none, static_cast<std::uint8_t>(exact), std::memory_order_release);
    const auto place = static_cast<unsigned>(&site - region_->sites);
    places_[place / 64].fetch_or(1ULL << place % 64, std::memory_order_release);
    site.state.store(kValid, std::memory_order_release);
    return {.stored = true, .fresh = first ? &site : nullptr, .exact = exact};
  }
  return {};
}

void SiteRegistry::add_frames(SiteRecord& site, unsigned frames) noexcept {
  std::atomic_ref(site.frames).store(static_cast<std::uint8_t>(frames), std::memory_order_release);
}

void SiteRegistry::begin_in_child(live::Region& region, bool share) noexcept {
  region_ = &region;
  if (share) return;
  used_.store(0, std::memory_order_relaxed);
  generated_used_.store(0, std::memory_order_relaxed);
}

}  // namespace clockshim
