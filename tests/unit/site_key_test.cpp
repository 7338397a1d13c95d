// Keys of call sites: what is packed into one word, and how far hashes of chains are apart.
#include "live/site_key.h"

#include <gtest/gtest.h>

#include <map>

#include "callsite_parts.h"

namespace clockshim {
namespace {

TEST(SiteKey, TellsAddressClockAndFunctionApart) {
  const SiteKey k{0x7fffdeadbeef, CLOCK_TAI, Function::gettimeofday};
  EXPECT_EQ(k.clock(), static_cast<unsigned>(CLOCK_TAI));
  EXPECT_EQ(k.function(), Function::gettimeofday);
  EXPECT_NE(key_of(0x1000).raw(), key_of(0x1001).raw());
  EXPECT_NE(key_of(0x1000, CLOCK_REALTIME).raw(), key_of(0x1000).raw());
}

TEST(SiteKey, AChainKeepsClockAndFunctionAndIsNoPlainKey) {
  const SiteKey k = SiteKey{0x5555, CLOCK_BOOTTIME, Function::timespec_get}.behind(0x6666);
  EXPECT_EQ(k.clock(), static_cast<unsigned>(CLOCK_BOOTTIME));
  EXPECT_EQ(k.function(), Function::timespec_get);
  EXPECT_NE(k.raw() & SiteKey::kChain, 0U);
  EXPECT_EQ(k.raw() & SiteKey::kRule, 0U);
  EXPECT_NE(k.raw(),
            (SiteKey{0x5555, CLOCK_BOOTTIME, Function::timespec_get}.behind(0x6667).raw()));
}

TEST(SiteKey, ChainsOfNeighbouringAddressesDoNotMeet) {
  std::map<std::uint64_t, int> seen;
  for (std::uintptr_t outer = 0x400000; outer < 0x400000 + 20000; ++outer)
    ++seen[key_of(0x7f0000001234).behind(outer).raw()];
  EXPECT_EQ(seen.size(), 20000U);
}

}  // namespace
}  // namespace clockshim
