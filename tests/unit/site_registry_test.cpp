// The registry of call sites: each key has one record, with its frames; and its limits.
#include "callsite/site_registry.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>

#include "../support/at_once.h"
#include "callsite_parts.h"

namespace clockshim {
namespace {

class SiteRegistryTest : public ::testing::Test {
 protected:
  SiteRegistry::Added add(SiteKey key, unsigned depth = 1, const PythonFrames* python = nullptr) {
    const Frame chain[] = {nowhere(key.return_address()), nowhere(0x20), nowhere(0x30)};
    return sites_->add(key, key.behind(1), chain, depth, python);
  }
  unsigned complete() {
    unsigned count = 0;
    sites_->for_each([&](live::SiteRecord&) { ++count; });
    return count;
  }

  std::unique_ptr<live::Region> region_ = std::make_unique<live::Region>();
  std::unique_ptr<KeyFilter> known_ = std::make_unique<KeyFilter>();
  std::unique_ptr<SiteRegistry> sites_ = std::make_unique<SiteRegistry>(*region_, *known_);
};

TEST_F(SiteRegistryTest, ASiteIsStoredOnceWithItsFrames) {
  const SiteKey key = key_of(0x1000);
  const auto first = add(key, 3);
  ASSERT_TRUE(first.stored);
  ASSERT_NE(first.fresh, nullptr);
  EXPECT_EQ(first.exact, 3U);
  EXPECT_TRUE(known_->may_contain(key));
  const live::SiteRecord& site = *first.fresh;
  EXPECT_EQ(site.state.load(), live::kValid);
  EXPECT_EQ(site.key.load(), key.raw());
  EXPECT_EQ(site.exact_frames, 3);
  EXPECT_EQ(site.frames, 3) << "until the stack behind them is there";
  EXPECT_EQ(site.pc[0], 0x1000U);
  EXPECT_EQ(site.pc[2], 0x30U);
  EXPECT_EQ(site.module[0], live::kModules) << "no module has it";
  SiteRegistry::add_frames(*first.fresh, 5);
  EXPECT_EQ(site.frames, 5);
  const auto again = add(key, 3);
  EXPECT_TRUE(again.stored);
  EXPECT_EQ(again.fresh, nullptr);
  EXPECT_EQ(complete(), 1U);
}

TEST_F(SiteRegistryTest, PythonsFunctionsStandBehindTheChain) {
  PythonFrames python;
  python.count = 2;
  python.numbers[0] = 11;
  python.numbers[1] = 12;
  const auto added = add(key_of(0x1000), 1, &python);
  ASSERT_NE(added.fresh, nullptr);
  EXPECT_EQ(added.exact, 3U);
  EXPECT_EQ(added.fresh->module[1], live::kNamed);
  EXPECT_EQ(added.fresh->pc[1], 11U);
  EXPECT_EQ(added.fresh->pc[2], 12U);
  python.count = live::kSiteDepth;
  const auto longest = add(key_of(0x1001), 3, &python);
  EXPECT_EQ(longest.exact, live::kSiteDepth) << "what is more is cut";
}

// Why: a signal handler may jump out of the middle of add().
TEST_F(SiteRegistryTest, ARecordThatWasBegunIsCompletedByTheNext) {
  const SiteKey key = key_of(0x1000);
  live::SiteRecord& site = region_->sites[key.home(live::kSiteBits)];
  site.key = key.raw();
  EXPECT_EQ(complete(), 0U);
  const auto added = add(key, 2);
  EXPECT_TRUE(added.stored);
  EXPECT_EQ(added.fresh, nullptr) << "it has no more than its exact frames";
  EXPECT_EQ(site.state.load(), live::kValid);
  EXPECT_EQ(site.exact_frames, 2);
  EXPECT_EQ(site.frames, 2);
  EXPECT_EQ(complete(), 1U);
}

TEST_F(SiteRegistryTest, ARetiredSiteIsTakenUpAgain) {
  const SiteKey key = key_of(0x1000);
  live::SiteRecord& site = *add(key).fresh;
  site.key = key.behind(1).raw();
  site.retired = 1;
  const auto again = add(key);
  EXPECT_TRUE(again.stored);
  EXPECT_EQ(again.fresh, nullptr);
  EXPECT_EQ(site.key.load(), key.raw());
  EXPECT_EQ(site.retired.load(), 0);
  EXPECT_EQ(complete(), 1U);
}

TEST_F(SiteRegistryTest, ItsLimitsAreReachedInOrderAndKnownSitesStayFound) {
  unsigned stored = 0;
  unsigned at_generated = 0;
  unsigned at_crowded = 0;
  for (std::uintptr_t pc = 1; pc <= 2 * live::kSites; ++pc) {
    if (add(key_of(0x10000 + pc)).fresh != nullptr) ++stored;
    if (at_generated == 0 && sites_->generated_full()) at_generated = stored;
    if (at_crowded == 0 && sites_->crowded()) at_crowded = stored;
  }
  EXPECT_EQ(at_generated, SiteRegistry::kForGenerated);
  EXPECT_EQ(at_crowded, SiteRegistry::kForChains);
  EXPECT_TRUE(sites_->full());
  EXPECT_EQ(stored, SiteRegistry::kUsable);
  EXPECT_EQ(complete(), SiteRegistry::kUsable);
  EXPECT_TRUE(add(key_of(0x10001)).stored);
  sites_->begin_in_child(*region_, true);
  EXPECT_TRUE(sites_->full());
  const auto own = std::make_unique<live::Region>();
  sites_->begin_in_child(*own, false);
  EXPECT_FALSE(sites_->full());
  EXPECT_FALSE(sites_->generated_full());
  EXPECT_EQ(complete(), 0U);
}

TEST_F(SiteRegistryTest, ThreadsThatAddTheSameSitesMakeEachOnce) {
  PythonFrames python;
  python.count = 1;
  python.numbers[0] = 11;
  std::atomic<unsigned> fresh{};
  test::at_once(4, 0x100, [&](unsigned, unsigned round) {
    const auto added = add(key_of(0x1000 + round), 2, round % 2 == 0 ? &python : nullptr);
    fresh += added.fresh != nullptr ? 1U : 0U;
  });
  EXPECT_EQ(fresh.load(), 0x100U);
  EXPECT_EQ(complete(), 0x100U);
}

}  // namespace
}  // namespace clockshim
