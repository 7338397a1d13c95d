// What the samples and checks of a chain have taught: how wide its brackets are, what a check of
// the coarse clocks costs, whether samples of two CPUs agree. Only the slow path uses it.
//
// All functions are lock-free, async-signal-safe and may be called by any thread at any time. Each
// field is updated on its own, and by a plain load and store: an update that another thread
// overwrites is a sample less in an average. Valid when all zero: nothing is known.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "base/ticks.h"
#include "clock/chain_id.h"
#include "clock/policy.h"
#include "clock/sampler.h"
#include "clock/suspicion.h"

namespace clockshim {

class ChainHistory {
 public:
  constexpr ChainHistory() = default;

  // Claims the refresh of the chain at counter value `now`. One thread at a time is enough, but no
  // thread waits for it: a refresh that takes longer than policy::kRefreshPatienceTicks no longer
  // counts. Whoever got true calls end_refresh().
  bool claim_refresh(Ticks now) noexcept {
    std::uint64_t began = refreshing_.load(std::memory_order_relaxed);
    if (began != 0 && now.raw() - began < policy::kRefreshPatienceTicks) return false;
    return refreshing_.compare_exchange_strong(began, now.raw() | 1, std::memory_order_relaxed);
  }
  void end_refresh() noexcept { refreshing_.store(0, std::memory_order_relaxed); }

  // Updates the usual and the shortest bracket. A preempted sample must not make them wide.
  void learn_width(TickDelta width) noexcept {
    const std::uint64_t usual = usual_width_.load(std::memory_order_relaxed);
    const std::uint64_t counted = std::min(width.raw(), policy::kBracketOutlier * usual);
    const bool better = usual == 0 || width.raw() < usual / policy::kBracketOutlier;
    const std::uint64_t average =
        usual - usual / policy::kBracketMemory + counted / policy::kBracketMemory;
    usual_width_.store(better ? width.raw() : average, std::memory_order_relaxed);
    const std::uint64_t shortest = shortest_width_.load(std::memory_order_relaxed);
    const std::uint64_t risen = shortest + shortest / policy::kShortestMemory;
    shortest_width_.store(shortest == 0 ? width.raw() : std::min(width.raw(), risen),
                          std::memory_order_relaxed);
  }
  [[nodiscard]] Brackets brackets() const noexcept {
    const std::uint64_t shortest = shortest_width_.load(std::memory_order_relaxed);
    return {TickDelta{usual_width_.load(std::memory_order_relaxed)},
            TickDelta{shortest * policy::kSteadyBracketEighths / 8}};
  }

  // The shortest bracket of late: what a reading of the real clock costs where nothing disturbs it,
  // with a reading of the counter. 0: there was none yet.
  [[nodiscard]] TickDelta shortest() const noexcept {
    return TickDelta{shortest_width_.load(std::memory_order_relaxed)};
  }

  // Takes in what a check of the coarse clocks has cost, in ticks. Returns the minimum recent cost,
  // which may rise by 1/64 with each check, so that one preempted check does not stretch the
  // interval. `known` says whether `taken` was measured on one CPU: else it is ignored.
  std::uint64_t learn_check_cost(TickDelta taken, bool known) noexcept {
    const std::uint64_t usual = check_cost_.load(std::memory_order_relaxed);
    const std::uint64_t counted = known ? taken.raw() : usual;
    const std::uint64_t cost =
        usual == 0 ? counted : std::min(counted, usual + usual / policy::kCheckCostMemory + 1);
    check_cost_.store(cost, std::memory_order_relaxed);
    return cost;
  }

  // A sample contradicts another CPU's, at the time `now` of CLOCK_BOOTTIME. True: one has before,
  // and none has agreed in between, so the counters disagree.
  bool contradicted(Nanos now) noexcept { return contradiction_.again(now); }
  void agreed() noexcept { contradiction_.clear(); }

  // A sample was too wide for the tolerance. True: so were as many before it, and they can't all
  // have been preempted.
  bool too_wide() noexcept {
    return too_wide_.fetch_add(1, std::memory_order_relaxed) >= policy::kTooWideSamples;
  }

  // Whether a segment of the chain was ever served.
  [[nodiscard]] bool served() const noexcept { return served_.load(std::memory_order_acquire); }
  void note_served() noexcept { served_.store(true, std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> refreshing_{};  // the counter when a refresh began; 0: none does
  std::atomic<std::uint64_t> usual_width_{};
  std::atomic<std::uint64_t> shortest_width_{};  // the recent minimum
  std::atomic<std::uint64_t> check_cost_{};      // the recent minimum
  Suspicion contradiction_{};
  std::atomic<std::uint32_t> too_wide_{};
  std::atomic<bool> served_{};
};

// The histories of all chains. CPUs with domains of their own do not meet at a cache line.
class ChainHistories {
 public:
  constexpr ChainHistories() = default;
  [[nodiscard]] ChainHistory& of(ChainId chain) noexcept {
    return domains_[chain.domain].of[chain.place()];
  }
  [[nodiscard]] const ChainHistory& of(ChainId chain) const noexcept {
    return domains_[chain.domain].of[chain.place()];
  }

 private:
  struct alignas(64) Domain {
    ChainHistory of[kChains]{};
  };
  Domain domains_[kDomains]{};
};

}  // namespace clockshim
