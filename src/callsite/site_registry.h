// The registry of call sites: what the keys stand for (their frames, live::SiteRecord), once for
// the whole process. A site is written down at its first call; at an unloading of modules it may be
// retired (callsite/retire_unloaded.h).
//
// There is room for live::kSites records, of which kUsable are used so that searches end soon.
// Chains get kForChains of them, so that some are left for callers behind no wrapper; callers in
// generated (JIT) code get kForGenerated, because a program may generate code for ever and drop it
// soon. full(), crowded() and generated_full() say when these are used up. Two threads that add at
// the same time may both find room, so a limit may be exceeded by a few.
//
// Any thread and signal handler may call what is not for the start or a forked child.
#pragma once

#include <atomic>
#include <cstdint>

#include "callsite/key_filter.h"
#include "callsite/python/python_callers.h"
#include "callsite/stack.h"
#include "live/layout.h"
#include "live/site_key.h"

namespace clockshim {

class SiteRegistry {
 public:
  // `known` gets each key that a site is added under.
  constexpr SiteRegistry(live::Region& region, KeyFilter& known)
      : region_(&region), known_(known) {}

  static constexpr unsigned kForChains = live::kSites * 7 / 8;
  static constexpr unsigned kUsable = live::kSites * 15 / 16;
  static constexpr unsigned kForGenerated = live::kSites / 2;

  // What has become of a site that was to be added.
  struct Added {
    bool stored = false;                // it has a record
    live::SiteRecord* fresh = nullptr;  // the record, if this call has begun it: add_frames()
    unsigned exact = 0;                 // its frames so far
  };

  // Stores the exact frames of a site: those of `chain` (`depth`, at least 1), and behind them the
  // Python functions (null: none). `retired` is the key that it has if it was retired; then it is
  // in use again. Not stored: there is no room, or no free slot near its home.
  Added add(SiteKey key, SiteKey retired, const Frame* chain, unsigned depth,
            const PythonFrames* python) noexcept;

  // Says that a fresh record has got all its `frames`, at most live::kSiteDepth: behind the exact
  // ones stand those of the first call.
  static void add_frames(live::SiteRecord& site, unsigned frames) noexcept;

  // Calls f(record) for each site that is complete.
  template <class F>
  void for_each(F f) noexcept {
    for (unsigned i = 0; i < live::kSites; ++i) {
      if ((places_[i / 64].load(std::memory_order_acquire) >> i % 64 & 1U) == 0) continue;
      live::SiteRecord& site = region_->sites[i];
      if (site.state.load(std::memory_order_acquire) == live::kValid) f(site);
    }
  }

  [[nodiscard]] bool full() const noexcept {
    return used_.load(std::memory_order_relaxed) >= kUsable;
  }
  [[nodiscard]] bool crowded() const noexcept {
    return used_.load(std::memory_order_relaxed) >= kForChains;
  }
  [[nodiscard]] bool generated_full() const noexcept {
    return generated_used_.load(std::memory_order_relaxed) >= kForGenerated;
  }

  [[nodiscard]] live::Region& region() const noexcept { return *region_; }

  // At start: the sites are in `region` now.
  void move_to(live::Region& region) noexcept { region_ = &region; }
  // In a forked child. `region` is new or, with `share`, the parent's.
  void begin_in_child(live::Region& region, bool share) noexcept;

 private:
  live::Region* region_;
  KeyFilter& known_;
  std::atomic<unsigned> used_{};            // used region_->sites
  std::atomic<unsigned> generated_used_{};  // of those, sites whose caller is in no module
  // Which of region_->sites are used, so that a search for them does not touch unused pages. In a
  // forked child, it includes those of its parent.
  std::atomic<std::uint64_t> places_[live::kSites / 64]{};
};

}  // namespace clockshim
