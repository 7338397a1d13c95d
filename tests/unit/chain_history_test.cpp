// ChainHistory alone: what is learned from widths, costs and contradictions.
#include "clock/chain_history.h"

#include <gtest/gtest.h>

#include <memory>

namespace clockshim {
namespace {

TEST(ChainHistoryTest, OneRefreshAtATimeButNotForEver) {
  ChainHistory history;
  EXPECT_TRUE(history.claim_refresh(Ticks{1000}));
  EXPECT_FALSE(history.claim_refresh(Ticks{1000 + policy::kRefreshPatienceTicks}));
  EXPECT_TRUE(history.claim_refresh(Ticks{1001 + policy::kRefreshPatienceTicks}))
      << "the first is taken for preempted";
  history.end_refresh();
  EXPECT_TRUE(history.claim_refresh(Ticks{5}));
}

TEST(ChainHistoryTest, APreemptedSampleDoesNotMakeBracketsWide) {
  ChainHistory history;
  history.learn_width(TickDelta{800});
  EXPECT_EQ(history.brackets().usual, TickDelta{800});
  EXPECT_EQ(history.brackets().steady, TickDelta{1000});
  history.learn_width(TickDelta{1'000'000});
  EXPECT_EQ(history.brackets().usual, TickDelta{900}) << "counted as twice the usual one";
  EXPECT_LE(history.brackets().steady, TickDelta{1004});
}

TEST(ChainHistoryTest, ABracketOfLessThanHalfReplacesTheUsualOne) {
  ChainHistory history;
  history.learn_width(TickDelta{8000});
  history.learn_width(TickDelta{3000});
  EXPECT_EQ(history.brackets().usual, TickDelta{3000});
  EXPECT_EQ(history.brackets().steady, TickDelta{3750});
}

TEST(ChainHistoryTest, AClockThatBecameSlowerIsRecognised) {
  ChainHistory history;
  for (int i = 0; i < 10; ++i) history.learn_width(TickDelta{1000});
  for (int i = 0; i < 40; ++i) history.learn_width(TickDelta{4000});
  EXPECT_GT(history.brackets().usual, TickDelta{3500}) << "within some tens of resyncs";
  for (int i = 0; i < 500; ++i) history.learn_width(TickDelta{4000});
  EXPECT_EQ(history.brackets().steady, TickDelta{5000}) << "after some hundreds";
}

TEST(ChainHistoryTest, TheCostOfACheckIsTheRecentMinimum) {
  ChainHistory history;
  EXPECT_EQ(history.learn_check_cost(TickDelta{0}, false), 0U);
  EXPECT_EQ(history.learn_check_cost(TickDelta{640}, true), 640U);
  EXPECT_EQ(history.learn_check_cost(TickDelta{1'000'000}, true), 651U) << "by 1/64, and one";
  EXPECT_EQ(history.learn_check_cost(TickDelta{1}, false), 651U) << "of two CPUs it says nothing";
  EXPECT_EQ(history.learn_check_cost(TickDelta{100}, true), 100U);
}

TEST(ChainHistoryTest, OneContradictionIsNoProof) {
  ChainHistory history;
  const Nanos now = milliseconds(60'000);
  EXPECT_FALSE(history.contradicted(now));
  history.agreed();
  EXPECT_FALSE(history.contradicted(now));
  EXPECT_FALSE(history.contradicted(now + policy::kSuspicionSpan)) << "the machine slept twice";
  EXPECT_TRUE(history.contradicted(now + policy::kSuspicionSpan + Nanos{1}));
}

TEST(ChainHistoryTest, AClockIsGivenUpAfterMoreSamplesThanCanAllBePreempted) {
  ChainHistory history;
  for (std::uint32_t i = 0; i < policy::kTooWideSamples; ++i) EXPECT_FALSE(history.too_wide());
  EXPECT_TRUE(history.too_wide());
}

TEST(ChainHistoryTest, HistoriesDoNotMix) {
  auto histories = std::make_unique<ChainHistories>();
  histories->of({kCommon, CLOCK_TAI}).note_served();
  for (unsigned n = 0; n < kDomains * kChains; ++n) {
    const ChainId chain = ChainId::numbered(n);
    EXPECT_EQ(histories->of(chain).served(), chain.domain == kCommon && chain.clock == CLOCK_TAI);
  }
}

}  // namespace
}  // namespace clockshim
