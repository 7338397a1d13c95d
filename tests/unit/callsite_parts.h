// What the tests of callsite/ share: keys and frames that are nobody's, and what a region counts.
#pragma once

#include <cstdint>
#include <ctime>
#include <map>

#include "callsite/stack.h"
#include "live/layout.h"
#include "live/site_key.h"

namespace clockshim {

// A frame that no module holds, so that nothing is taken for a wrapper and no stack is followed.
inline Frame nowhere(std::uintptr_t pc) { return Frame{pc, 0, 0}; }

inline SiteKey key_of(std::uintptr_t pc, unsigned clock = CLOCK_MONOTONIC) {
  return SiteKey{pc, clock, Function::clock_gettime};
}

// All counts of a region, each key's in one sum.
inline std::map<std::uint64_t, std::uint64_t> counts_in(const live::Region& region) {
  std::map<std::uint64_t, std::uint64_t> sums;
  const auto add = [&](std::uint64_t key, std::uint64_t count) {
    if (key != 0 && (key & SiteKey::kRule) == 0) sums[key] += count;
  };
  for (const auto& table : region.threads) {
    for (const auto& entry : table.entries) add(entry.key, entry.count);
  }
  for (const auto& entry : region.shared.entries) add(entry.key, entry.count);
  return sums;
}

}  // namespace clockshim
