// What a call is counted under: the return address, the clock and the interposed function, in one
// word; for a caller behind a wrapper, a mix of the words along the way.
#pragma once

#include <bit>
#include <cstdint>

#include "base/clock_id.h"

namespace clockshim {

// Bits 0..55: the return address (user addresses end below 2^56 even with five-level
// paging); 56..59: the clock; 60..61: the function; 62: a chain, whose low bits are a hash; 63: in
// a thread's table, this entry holds a walking rule.
class SiteKey {
 public:
  static constexpr unsigned kClockShift = 56;
  static constexpr unsigned kFunctionShift = 60;
  static constexpr std::uint64_t kChain = 1ULL << 62;
  static constexpr std::uint64_t kRule = 1ULL << 63;
  static constexpr std::uint64_t kTagMask = 0x3FULL << kClockShift;

  // Return addresses that stand for callers without a site of their own. No code is there.
  static constexpr std::uintptr_t kOtherCallers = 1;  // there was no room for more
  static constexpr std::uintptr_t kGeneratedCode =
      2;  // in no module, and those have had their share
  static constexpr std::uintptr_t kLastFolded = kGeneratedCode;

  constexpr SiteKey(std::uintptr_t return_address, unsigned clock, Function function)
      : raw_(return_address | static_cast<std::uint64_t>(clock) << kClockShift |
             static_cast<std::uint64_t>(function) << kFunctionShift) {}
  constexpr explicit SiteKey(std::uint64_t raw) : raw_(raw) {}

  [[nodiscard]] constexpr std::uint64_t raw() const { return raw_; }
  // Of a call; a chain has a hash there.
  [[nodiscard]] constexpr std::uintptr_t return_address() const {
    return raw_ & ((1ULL << kClockShift) - 1);
  }
  [[nodiscard]] constexpr unsigned clock() const { return raw_ >> kClockShift & 0xFU; }
  [[nodiscard]] constexpr Function function() const {
    return static_cast<Function>(raw_ >> kFunctionShift & 0x3U);
  }

  // Counts callers that have no site of their own.
  [[nodiscard]] constexpr bool folded() const {
    return (raw_ & kChain) == 0 && return_address() - 1 < kLastFolded;
  }

  // The key of a caller further out, behind this one. 56 hash bits: two chains of 4096 share one
  // with p < 2^-32. One multiplication (by 2^64 / phi, Knuth's constant), because this is on the
  // path of every wrapped call.
  [[nodiscard]] constexpr SiteKey behind(std::uintptr_t caller_pc) const {
    const std::uint64_t h = (std::rotl(raw_, 23) ^ caller_pc) * 0x9E3779B97F4A7C15ULL;
    return SiteKey{h >> 8 | raw_ >> kClockShift << kClockShift | kChain};
  }

  // Where to look first in a table of 2^bits entries.
  [[nodiscard]] constexpr unsigned home(unsigned bits) const {
    return static_cast<unsigned>(raw_ * 0x9E3779B97F4A7C15ULL >> (64 - bits));
  }
  // The same in bytes, for entries of `size` (a power of two): one instruction less than scaling
  // home().
  [[nodiscard]] constexpr unsigned place(unsigned bits, unsigned size) const {
    const unsigned scale = static_cast<unsigned>(std::countr_zero(size));
    return static_cast<unsigned>(raw_ * 0x9E3779B97F4A7C15ULL >> (64 - bits - scale)) &
           ((1U << bits) - 1) << scale;
  }

 private:
  std::uint64_t raw_;
};

}  // namespace clockshim
