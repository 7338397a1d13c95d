// CallCosts alone: when a clock is measured, and what is kept of it.
#include "clock/call_costs.h"

#include <gtest/gtest.h>

#include <vector>

namespace clockshim {
namespace {

constexpr Rate kTwoGhz{1ULL << (kRateShift - 1)};
constexpr unsigned kId = CLOCK_MONOTONIC;

class CallCostsTest : public testing::Test {
 protected:
  void note(std::uint64_t real, std::uint64_t served, std::uint64_t empty = 40) {
    costs.note(kId, TickDelta{real}, PathTiming{TickDelta{served}, TickDelta{empty}}, kTwoGhz,
               header);
  }
  [[nodiscard]] std::uint32_t real_ps() const { return header.costs[kId].real.load(); }
  [[nodiscard]] std::uint32_t served_ps() const { return header.costs[kId].served.load(); }

  CallCosts costs;
  live::Header header{};
};

TEST_F(CallCostsTest, AClockIsMeasuredOftenAtFirstAndThenSeldom) {
  std::vector<std::uint64_t> measured_at;
  for (std::uint64_t resyncs = 0; resyncs <= 4096; ++resyncs) {
    // The slow path comes here several times between two resyncs.
    for (int i = 0; i < 3; ++i) {
      if (costs.claim(kId, resyncs)) measured_at.push_back(resyncs);
    }
  }
  EXPECT_EQ(measured_at, (std::vector<std::uint64_t>{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024,
                                                     2048, 3072, 4096}));
  EXPECT_TRUE(costs.claim(CLOCK_REALTIME, 7)) << "each clock by itself";
}

TEST_F(CallCostsTest, BothCostsAreWithoutTheReadingsOfTheCounterAroundThem) {
  note(4040, 90);
  EXPECT_EQ(real_ps(), 2'000'000U) << "4000 ticks at 2 GHz";
  EXPECT_EQ(served_ps(), 25'000U);
  EXPECT_EQ(header.costs[CLOCK_REALTIME].real.load(), 0U) << "not measured";
}

TEST_F(CallCostsTest, NothingIsBelowAPicosecondOrAboveItsField) {
  note(30, 20);
  EXPECT_EQ(real_ps(), 1U) << "0 would say that it was not measured";
  EXPECT_EQ(served_ps(), 1U);
  note(1ULL << 40, 1ULL << 40);
  EXPECT_EQ(real_ps(), UINT32_MAX);
}

TEST_F(CallCostsTest, OneDisturbedMeasurementHardlyShows) {
  note(4040, 90);
  note(4040, 890);
  EXPECT_EQ(served_ps(), 25'000U + 400'000 / policy::kCostMemory);
  note(4040, 80);
  EXPECT_EQ(served_ps(), 20'000U) << "the least counts at once";
  note(1040, 80);
  EXPECT_EQ(real_ps(), 500'000U) << "the clock's history has taken the least of it already";
}

TEST_F(CallCostsTest, AChildBeginsWithItsParentsCostsAndMeasuresAnew) {
  note(4040, 90);
  EXPECT_TRUE(costs.claim(kId, 512));
  live::Header own{};
  costs.begin_in_child(own);
  EXPECT_EQ(own.costs[kId].real.load(), 2'000'000U);
  EXPECT_EQ(own.costs[kId].served.load(), 25'000U);
  EXPECT_EQ(own.costs[CLOCK_TAI].real.load(), 0U);
  EXPECT_TRUE(costs.claim(kId, 1));
}

}  // namespace
}  // namespace clockshim
