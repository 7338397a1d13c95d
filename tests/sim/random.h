// The dice of one schedule: the same seed, the same throws, on every machine (splitmix64, by
// Sebastiano Vigna's constants).
#pragma once

#include <bit>
#include <cstdint>

namespace sim {

// 128 bits for products; a GNU extension, said once.
__extension__ typedef unsigned __int128 Wide;

class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    std::uint64_t z = state_ += 0x9E3779B97F4A7C15ULL;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
  }
  // 0 to n - 1.
  std::uint64_t below(std::uint64_t n) {
    return static_cast<std::uint64_t>(static_cast<Wide>(next()) * n >> 64);
  }
  // Both ends included.
  std::int64_t between(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(high - low) + 1));
  }
  bool one_in(std::uint64_t n) { return below(n) == 0; }
  // Each power of two between the two as likely as the next: short delays are as interesting as
  // long ones.
  std::int64_t spread(std::int64_t low, std::int64_t high) {
    const auto octaves = static_cast<int>(std::bit_width(static_cast<std::uint64_t>(high / low)));
    const std::int64_t from = low << below(static_cast<std::uint64_t>(octaves));
    const std::int64_t to = from > high / 2 ? high : 2 * from;
    return between(from, to);
  }
  template <class T, std::size_t N>
  T one_of(const T (&choices)[N]) {
    return choices[below(N)];
  }

 private:
  std::uint64_t state_;
};

}  // namespace sim
