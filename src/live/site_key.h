// The key that a call is counted under: the return address, the clock and the interposed function
// in one word. For a caller behind a wrapper it is a hash of the words along the way.
#pragma once

#include <bit>
#include <cstdint>

#include "base/clock_id.h"

namespace clockshim {

// Bits 0 to 55 are the return address (user addresses end below 2^56 even with five-level paging),
// 56 to 59 the clock, 60 and 61 the function. Bit 62 marks a chain, whose low bits are a hash. Bit
// 63, in a thread's table, marks an entry that holds a walking rule.
class SiteKey {
 public:
  static constexpr unsigned kClockShift = 56;
  static constexpr unsigned kFunctionShift = 60;
  static constexpr std::uint64_t kChain = 1ULL << 62;
  static constexpr std::uint64_t kRule = 1ULL << 63;
  static constexpr std::uint64_t kTagMask = 0x3FULL << kClockShift;

  // Return addresses that stand for callers without a site of their own. There is no code at these
  // addresses.
  static constexpr std::uintptr_t kOtherCallers = 1;  // there was no room for more
  static constexpr std::uintptr_t kGeneratedCode =
      2;  // the caller is in no module, and such callers have used up their share
  static constexpr std::uintptr_t kLastFolded = kGeneratedCode;

  constexpr SiteKey(std::uintptr_t return_address, std::uint64_t clock, Function function)
      : raw_(return_address | clock << kClockShift |
             static_cast<std::uint64_t>(function) << kFunctionShift) {}
  constexpr explicit SiteKey(std::uint64_t raw) : raw_(raw) {}

  [[nodiscard]] constexpr std::uint64_t raw() const { return raw_; }
  // The return address of a call. A chain's key has a hash there.
  [[nodiscard]] constexpr std::uintptr_t return_address() const {
    return raw_ & ((1ULL << kClockShift) - 1);
  }
  [[nodiscard]] constexpr unsigned clock() const { return raw_ >> kClockShift & 0xFU; }
  [[nodiscard]] constexpr Function function() const {
    return static_cast<Function>(raw_ >> kFunctionShift & 0x3U);
  }

  // Whether it counts callers that have no site of their own.
  [[nodiscard]] constexpr bool folded() const {
    return (raw_ & kChain) == 0 && return_address() - 1 < kLastFolded;
  }

  // The key of the next caller behind this one. The hash has 56 bits, so two of 4096 chains collide
  // with p < 2^-32. It takes one multiplication (by 2^64 / phi, Knuth's constant), because every
  // wrapped call computes it.
  [[nodiscard]] constexpr SiteKey behind(std::uintptr_t caller_pc) const {
    const std::uint64_t h = (std::rotl(raw_, 23) ^ caller_pc) * 0x9E3779B97F4A7C15ULL;
    return SiteKey{h >> 8 | raw_ >> kClockShift << kClockShift | kChain};
  }

  // The index of the key's home in a table of 2^bits entries.
  [[nodiscard]] constexpr unsigned home(unsigned bits) const {
    return static_cast<unsigned>(raw_ * 0x9E3779B97F4A7C15ULL >> (64 - bits));
  }
  // The home as a byte offset, for entries of `size` bytes (a power of two): one instruction less
  // than scaling home().
  [[nodiscard]] constexpr unsigned place(unsigned bits, unsigned size) const {
    const unsigned scale = static_cast<unsigned>(std::countr_zero(size));
    return static_cast<unsigned>(raw_ * 0x9E3779B97F4A7C15ULL >> (64 - bits - scale)) &
           ((1U << bits) - 1) << scale;
  }

 private:
  std::uint64_t raw_;
};

}  // namespace clockshim
