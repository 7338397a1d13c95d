// The filter of known keys: it never denies one that was added, and is rarely wrong about others.
#include "callsite/key_filter.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

#include "callsite_parts.h"
#include "live/layout.h"

namespace clockshim {
namespace {

TEST(KeyFilter, HasNoKeyAtFirst) {
  const auto filter = std::make_unique<KeyFilter>();
  for (std::uintptr_t pc = 0x1000; pc < 0x2000; ++pc)
    ASSERT_FALSE(filter->may_contain(key_of(pc))) << pc;
}

TEST(KeyFilter, ForgetsNothingAndIsWrongOnceIn300WithAThousandKeys) {
  const auto filter = std::make_unique<KeyFilter>();
  constexpr std::uintptr_t kKeys = live::kSites;
  for (std::uintptr_t i = 0; i < kKeys; ++i) filter->add(key_of(0x5000'0000).behind(i));
  for (std::uintptr_t i = 0; i < kKeys; ++i)
    ASSERT_TRUE(filter->may_contain(key_of(0x5000'0000).behind(i))) << i;
  constexpr std::uintptr_t kOthers = 100'000;
  unsigned wrong = 0;
  for (std::uintptr_t i = 0; i < kOthers; ++i)
    wrong += filter->may_contain(key_of(0x6000'0000).behind(i)) ? 1U : 0U;
  // 2,048 of 32,768 bits are set: (1/16)^2, and a little less for the bits that meet.
  EXPECT_LT(wrong, kOthers / 200);
  EXPECT_GT(wrong, 0U) << "else the filter is larger than it has to be";
}

TEST(KeyFilter, ThreadsThatAddAtTheSameTimeLoseNoKey) {
  const auto filter = std::make_unique<KeyFilter>();
  constexpr std::uintptr_t kEach = 500;
  std::vector<std::thread> threads;
  for (std::uintptr_t t = 0; t < 4; ++t) {
    threads.emplace_back([&filter, t] {
      for (std::uintptr_t i = 0; i < kEach; ++i) filter->add(key_of(0x7000'0000 + t * kEach + i));
    });
  }
  for (auto& thread : threads) thread.join();
  for (std::uintptr_t i = 0; i < 4 * kEach; ++i)
    ASSERT_TRUE(filter->may_contain(key_of(0x7000'0000 + i))) << i;
}

}  // namespace
}  // namespace clockshim
