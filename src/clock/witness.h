// Whether the CPUs' counters agree, seen from readings that threads hand to each other on their own
// business: the kernel's warp test (arch/x86/kernel/tsc_sync.c) without its two CPUs that do
// nothing else. A thread that has seen another CPU's reading and then finds its own counter behind
// it has proof that they disagree. Many handoffs that were tight, both ways and over a second, are
// the evidence that they agree: their skew is less than what two CPUs can tell. Lock-free,
// async-signal-safe, valid when all zero.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/nanos.h"
#include "base/ticks.h"
#include "clock/chain_id.h"
#include "clock/policy.h"

namespace clockshim {

class Witness {
 public:
  // The newest reading of any CPU. Load it before taking a reading of your own.
  using Token = std::uint64_t;
  [[nodiscard]] Token newest() const noexcept { return newest_.load(std::memory_order_acquire); }

  // Compares the reading `own` with `seen`, which was loaded before it was taken. Returns by how
  // many ticks this CPU's counter is behind the other's; 0 if it is not.
  std::uint64_t judge(Token seen, const Reading& own) noexcept {
    const Token mine = token(own);
    const unsigned other = static_cast<unsigned>(seen & kCpuMask);
    // Tokens hold the low 54 bits of the ticks, so their difference is taken as a signed number of
    // 54 bits.
    const auto ahead = static_cast<std::int64_t>((mine & ~std::uint64_t{kCpuMask}) -
                                                 (seen & ~std::uint64_t{kCpuMask})) >>
                       kCpuBits;
    const bool first = seen == 0;
    const bool newest = newest_.compare_exchange_strong(seen, mine, std::memory_order_acq_rel);
    if (first || other == own.cpu) return 0;
    // Of several threads that are behind the same reading, one finds so.
    if (ahead < 0) return newest ? static_cast<std::uint64_t>(-ahead) : 0;
    if (static_cast<std::uint64_t>(ahead) < policy::kTightTicks) met(other, own.cpu);
    return 0;
  }

  // Whether the counters of all `cpus` CPUs were found to agree in this round. If so, call
  // convinced().
  [[nodiscard]] bool ready(unsigned cpus) const noexcept {
    return believed_count_.load(std::memory_order_relaxed) >= cpus;
  }

  // Ends a round at the time `now` of CLOCK_MONOTONIC. True if an earlier round ended in agreement
  // too, at least kWitnessSpan ago.
  bool convinced(Nanos now) noexcept {
    std::int64_t since = 0;
    const bool first = since_.compare_exchange_strong(since, now.raw(), std::memory_order_relaxed);
    const bool again = !first && now - Nanos{since} >= policy::kWitnessSpan;
    start_round();
    return again;
  }

  // Drops all evidence, because counters were seen to disagree, or because the question is settled.
  void forget() noexcept {
    since_.store(0, std::memory_order_relaxed);
    start_round();
  }

  [[nodiscard]] std::uint64_t handoffs() const noexcept {
    return handoffs_.load(std::memory_order_relaxed);
  }

 private:
  static constexpr unsigned kCpuBits = 10;
  static constexpr std::uint64_t kCpuMask = (1U << kCpuBits) - 1;
  static_assert(kMaxCpus <= kNoCpu && kNoCpu <= kCpuMask);

  static Token token(const Reading& r) noexcept {
    return r.ticks.raw() << kCpuBits | (r.cpu & kCpuMask);
  }

  void met(unsigned from, unsigned to) noexcept {
    if (from >= kMaxCpus || to >= kMaxCpus) return;
    handoffs_.fetch_add(1, std::memory_order_relaxed);
    // The first CPU is believed without evidence. Every other one is compared with one that is
    // believed.
    if (believed_count_.load(std::memory_order_relaxed) == 0) believe(from);
    const bool from_believed = believed_[from].load(std::memory_order_relaxed);
    if (from_believed == believed_[to].load(std::memory_order_relaxed)) return;
    const unsigned candidate = from_believed ? to : from;
    auto& direction = from_believed ? came_[candidate] : went_[candidate];
    direction.fetch_add(1, std::memory_order_relaxed);
    const auto enough = [](const auto& count) {
      return count.load(std::memory_order_relaxed) >= policy::kHandoffs;
    };
    if (enough(came_[candidate]) && enough(went_[candidate])) believe(candidate);
  }

  void believe(unsigned cpu) noexcept {
    if (!believed_[cpu].exchange(true, std::memory_order_relaxed))
      believed_count_.fetch_add(1, std::memory_order_relaxed);
  }

  void start_round() noexcept {
    for (unsigned cpu = 0; cpu < kMaxCpus; ++cpu) {
      believed_[cpu].store(false, std::memory_order_relaxed);
      came_[cpu].store(0, std::memory_order_relaxed);
      went_[cpu].store(0, std::memory_order_relaxed);
    }
    believed_count_.store(0, std::memory_order_relaxed);
  }

  std::atomic<Token> newest_{};
  std::atomic<std::int64_t> since_{};
  std::atomic<std::uint64_t> handoffs_{};
  std::atomic<unsigned> believed_count_{};
  std::atomic<bool> believed_[kMaxCpus]{};
  std::atomic<std::uint32_t> came_[kMaxCpus]{};
  std::atomic<std::uint32_t> went_[kMaxCpus]{};
};

}  // namespace clockshim
