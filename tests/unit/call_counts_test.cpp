// Counts behind the fast path: where a key is put, what is found, and what happens when tables are
// full. Each test has a region of its own.
#include "callsite/call_counts.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>

#include "callsite_parts.h"

namespace clockshim {
namespace {

using Found = CallCounts::Found;

class CallCountsTest : public ::testing::Test {
 protected:
  Found count(SiteKey key, live::ThreadTable* in) {
    mine_ = nullptr;
    return counts_->count(in, key, rule_, mine_);
  }
  std::uint64_t total(SiteKey key) {
    const auto all = counts_in(*region_);
    const auto found = all.find(key.raw());
    return found == all.end() ? 0 : found->second;
  }

  std::unique_ptr<live::Region> region_ = std::make_unique<live::Region>();
  std::unique_ptr<KeyFilter> known_ = std::make_unique<KeyFilter>();
  std::unique_ptr<CallCounts> counts_ = std::make_unique<CallCounts>(*region_, *known_);
  live::ThreadTable* table_ = &region_->threads[0];
  FrameRule rule_;
  live::ThreadTable::Entry* mine_ = nullptr;
};

TEST_F(CallCountsTest, AnUnknownKeyIsNotFoundAndAKnownOneCounted) {
  const SiteKey key = key_of(0x1000);
  EXPECT_EQ(count(key, table_), Found::nothing);
  EXPECT_FALSE(counts_->may_know(key));
  EXPECT_TRUE(counts_->add(table_, key.raw(), 1));
  EXPECT_TRUE(counts_->may_know(key));
  EXPECT_EQ(count(key, table_), Found::counted);
  ASSERT_NE(mine_, nullptr);
  EXPECT_EQ(mine_->count, 2U);
  EXPECT_EQ(table_->used, 1U);
  EXPECT_EQ(total(key), 2U);
}

TEST_F(CallCountsTest, ARuleIsFoundAndNothingCounted) {
  const SiteKey key = key_of(0x1000);
  const FrameRule rule{24, -16, false};
  EXPECT_TRUE(counts_->add(table_, key.raw() | SiteKey::kRule, rule.packed()));
  EXPECT_EQ(count(key, table_), Found::rule);
  EXPECT_EQ(rule_.cfa_offset, 24);
  EXPECT_EQ(rule_.saved_frame, -16);
  EXPECT_EQ(mine_->count, rule.packed());
}

TEST_F(CallCountsTest, ARuleThatIsBeingWrittenIsNotFound) {
  const SiteKey key = key_of(0x1000);
  EXPECT_TRUE(counts_->add(table_, key.raw() | SiteKey::kRule, 0));
  EXPECT_EQ(count(key, table_), Found::nothing);
}

TEST_F(CallCountsTest, AThreadWithoutATableCountsInTheSharedOne) {
  const SiteKey key = key_of(0x1000);
  EXPECT_TRUE(counts_->add(nullptr, key.raw(), 1));
  EXPECT_EQ(count(key, nullptr), Found::counted);
  EXPECT_EQ(mine_, nullptr);
  EXPECT_EQ(total(key), 2U);
  EXPECT_EQ(table_->used, 0U);
  // A thread that has a table counts in that from then on.
  EXPECT_EQ(count(key, table_), Found::counted);
  EXPECT_EQ(count(key, table_), Found::counted);
  ASSERT_NE(mine_, nullptr);
  EXPECT_EQ(mine_->count, 2U);
  EXPECT_EQ(total(key), 4U);
}

TEST_F(CallCountsTest, AFullTableSendsNewKeysToTheSharedOne) {
  for (std::uintptr_t pc = 1; pc <= live::kThreadSites; ++pc)
    ASSERT_TRUE(counts_->add(table_, key_of(0x2000 + pc).raw(), 1));
  EXPECT_LE(table_->used, live::kThreadSitesUsable);
  for (std::uintptr_t pc = 1; pc <= live::kThreadSites; ++pc)
    ASSERT_EQ(total(key_of(0x2000 + pc)), 1U) << pc;
}

// Why: callers that have no site of their own must be countable for as long as the process runs.
TEST_F(CallCountsTest, WhenAllTablesAreFullFoldedCallersFindRoomAndOthersAreRefused) {
  bool refused = false;
  bool crowded_before = false;
  unsigned added = 0;
  for (std::uintptr_t pc = 1; pc <= 2 * live::kSharedSites; ++pc) {
    crowded_before |= counts_->crowded() && !refused;
    if (counts_->add(nullptr, key_of(0x10000 + pc).raw(), 1)) {
      ++added;
    } else {
      refused = true;
    }
  }
  EXPECT_TRUE(refused);
  EXPECT_TRUE(crowded_before) << "chains are refused first";
  EXPECT_EQ(added, CallCounts::kSharedUsable);
  for (unsigned clock = 0; clock < kClockIds; ++clock) {
    const SiteKey key = key_of(0x666000, clock);
    std::thread([&] { counts_->count_folded(SiteKey::kOtherCallers, key, nowhere(0)); }).join();
    EXPECT_EQ(total(SiteKey(SiteKey::kOtherCallers, clock, key.function())), 1U) << clock;
  }
  EXPECT_EQ(region_->shared.dropped.load(), 0U);
}

TEST_F(CallCountsTest, WhatNoTableHasRoomForIsCountedAsDropped) {
  for (auto& entry : region_->shared.entries) entry.key = SiteKey::kRule | 1U;
  std::thread([&] {
    counts_->count_folded(SiteKey::kOtherCallers, key_of(0x1000), nowhere(0));
  }).join();
  EXPECT_EQ(region_->shared.dropped.load(), 1U);
}

TEST_F(CallCountsTest, ARenamedKeyKeepsItsCountsUntilItIsUsedAgain) {
  const SiteKey key = key_of(0x1000);
  const SiteKey retired = key.behind(7);
  for (live::ThreadTable* const in : {table_, static_cast<live::ThreadTable*>(nullptr)})
    ASSERT_TRUE(counts_->add(in, key.raw(), 1));
  counts_->rename(key, retired, false);
  EXPECT_EQ(total(key), 0U);
  EXPECT_EQ(total(retired), 2U);
  EXPECT_EQ(count(key, table_), Found::nothing);
  ASSERT_TRUE(counts_->add(table_, key.raw(), 1, retired.raw()));
  EXPECT_EQ(total(key), 2U) << "the old count of this thread, and one";
  EXPECT_EQ(total(retired), 1U);
}

TEST_F(CallCountsTest, ARenamedRuleIsForgottenAndACountLeftAlone) {
  const SiteKey rule = key_of(0x1000);
  const SiteKey count_key = key_of(0x1001);
  ASSERT_TRUE(counts_->add(table_, rule.raw() | SiteKey::kRule, FrameRule{8, 0, false}.packed()));
  ASSERT_TRUE(counts_->add(table_, count_key.raw(), 1));
  counts_->rename(rule, rule.behind(7), true);
  counts_->rename(count_key, count_key.behind(7), true);
  EXPECT_EQ(count(rule, table_), Found::nothing);
  EXPECT_EQ(count(rule.behind(7), table_), Found::nothing) << "it has to be learned again";
  EXPECT_EQ(total(count_key), 1U);
}

TEST_F(CallCountsTest, RealReadingsAreCountedByClock) {
  std::thread([&] {
    for (auto& table : region_->threads) table.owner = 1;  // somebody's
    counts_->count_real(CLOCK_TAI);
    counts_->count_real(CLOCK_TAI);
  }).join();
  EXPECT_EQ(region_->shared.real[CLOCK_TAI].load(), 2U);
  EXPECT_EQ(region_->shared.real[CLOCK_MONOTONIC].load(), 0U);
}

TEST_F(CallCountsTest, AForkedChildStartsWithEmptyTablesOrSharesItsParents) {
  for (std::uintptr_t pc = 1; !counts_->crowded(); ++pc)
    ASSERT_TRUE(counts_->add(nullptr, key_of(0x10000 + pc).raw(), 1));
  counts_->begin_in_child(*region_, true);
  EXPECT_TRUE(counts_->crowded());
  const auto own = std::make_unique<live::Region>();
  counts_->begin_in_child(*own, false);
  EXPECT_FALSE(counts_->crowded());
  EXPECT_EQ(&counts_->region(), own.get());
  ASSERT_TRUE(counts_->add(nullptr, key_of(0x1000).raw(), 1));
  EXPECT_EQ(counts_in(*own).size(), 1U);
}

}  // namespace
}  // namespace clockshim
