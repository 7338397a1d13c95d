// Which keys are certainly in no table: a Bloom filter with two bits for each key. Two loads find
// out that a key is unknown, however full the tables are. It has no room to run out of and is never
// cleared; in a forked child it still has its parent's keys. With 1,000 keys, about as many as
// there are sites, it is wrong in one case in 300; then the tables are searched in vain.
//
// Any thread and signal handler may call both functions. Valid when all zero: it has no key then.
#pragma once

#include <atomic>
#include <cstdint>

#include "live/site_key.h"

namespace clockshim {

class KeyFilter {
 public:
  constexpr KeyFilter() = default;

  // False: the key was never added. True: it was, or others have both its bits.
  [[nodiscard]] bool may_contain(SiteKey key) const noexcept {
    return both_bits(key, [this](std::uint64_t bit) {
      return (words_[bit >> kWordBits].load(std::memory_order_acquire) >> bit % (1U << kWordBits) &
              1U) != 0;
    });
  }

  // Adds a key. It must come before the key can be found in a table.
  void add(SiteKey key) noexcept {
    if (may_contain(key)) return;
    both_bits(key, [this](std::uint64_t bit) {
      words_[bit >> kWordBits].fetch_or(1ULL << bit % (1U << kWordBits), std::memory_order_acq_rel);
      return true;
    });
  }

 private:
  static constexpr unsigned kBits = 15;
  static constexpr unsigned kWordBits = 6;

  // The two bits are taken from the high half of the hash, whose top bits are also the key's home
  // in the tables.
  template <class F>
  static bool both_bits(SiteKey key, F f) {
    const std::uint64_t hash = key.raw() * 0x9E3779B97F4A7C15ULL;
    constexpr std::uint64_t kMask = (1ULL << kBits) - 1;
    return f(hash >> (64 - kBits) & kMask) && f(hash >> (64 - 2 * kBits) & kMask);
  }

  std::atomic<std::uint64_t> words_[1U << (kBits - kWordBits)]{};
};

}  // namespace clockshim
