// How many calls lie between two that are sampled (CLOCKSHIM_PROFILE=stacks:N). A fixed gap beats
// with the rhythm of the program: of callers that take turns, some would be seen too often and some
// never. So gaps are drawn at random, with mean N. Integers only: in a clock call, the host's
// floating-point flags are not ours to change.
#pragma once

#include <cstdint>

#include "base/segment.h"

namespace clockshim {

// SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators" (OOPSLA 2014),
// with the constants of Vigna's splitmix64.c. The state may have any value, 0 too, so whatever
// differs between threads is a seed.
constexpr std::uint64_t random_word(std::uint64_t& state) noexcept {
  std::uint64_t word = state += 0x9E3779B97F4A7C15ULL;
  word = (word ^ word >> 30) * 0xBF58476D1CE4E5B9ULL;
  word = (word ^ word >> 27) * 0x94D049BB133111EBULL;
  return word ^ word >> 31;
}

// Gaps with a geometric distribution: each call is sampled with probability 1/N, whatever was
// sampled before it. Gaps that are uniform in 1 to 2N - 1 have the same mean, but a memory: the
// first calls of a thread would be sampled half as often as its later ones.
//
// The least gap is 1. What is above it has the probability (1 - q) * q^k with q = 1 - 1/N, and q^k
// is the product of q^(2^j) over the bits j that are set in k. So the bits are independent, and bit
// j is set with probability q^(2^j) / (1 + q^(2^j)): each bit is one comparison, with a threshold
// that is known from the start. N = 1000 takes 16 of them.
class SampleGaps {
 public:
  // From now on the mean is `every`, at least 1. With 1 each call is sampled.
  constexpr void set_mean(std::uint32_t every) noexcept {
    // In units of 2^-64. Rounding changes 1/N by less than one part in 2^31.
    std::uint64_t power = every == 1 ? 0 : ~(~0ULL / every);
    for (bits_ = 0; power != 0 && bits_ < kMostBits; ++bits_) {
      const UnsignedWide whole = UnsignedWide{1} << 64;
      thresholds_[bits_] =
          static_cast<std::uint64_t>((UnsignedWide{power} << 64) / (whole + power));
      power = static_cast<std::uint64_t>(UnsignedWide{power} * power >> 64);
    }
  }

  [[nodiscard]] constexpr std::uint64_t next(std::uint64_t& random) const noexcept {
    std::uint64_t gap = 1;
    for (unsigned bit = 0; bit < bits_; ++bit)
      gap += static_cast<std::uint64_t>(random_word(random) < thresholds_[bit]) << bit;
    return gap;
  }

 private:
  // q^(2^j) is below 2^-64 from 2^j = 45 * N on, and N is below 2^32.
  static constexpr unsigned kMostBits = 40;
  std::uint64_t thresholds_[kMostBits]{};
  unsigned bits_ = 0;
};

}  // namespace clockshim
