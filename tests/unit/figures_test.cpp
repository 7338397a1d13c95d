// ClockFigures alone: which error a sample shows, and which sample shows none.
#include "clock/figures.h"

#include <gtest/gtest.h>

namespace clockshim {
namespace {

constexpr Rate kOneGhz{1ULL << kRateShift};

class FiguresTest : public testing::Test {
 protected:
  void SetUp() override {
    figures.start(record, microseconds(10));
    segment.segment = {Ticks{1000}, TickDelta{100'000}, kOneGhz, Nanos{5000}};
    segment.gate = TickDelta{60'000};
    segment.calibration.rate = kOneGhz;
  }
  static Sample sample(std::uint64_t before, std::uint64_t width, std::int64_t real) {
    Sample s;
    s.before = Ticks{before};
    s.width = TickDelta{width};
    s.real = Nanos{real};
    s.ok = true;
    return s;
  }
  [[nodiscard]] std::uint64_t samples() const { return record.accuracy.summary().samples; }
  [[nodiscard]] std::int64_t worst() const { return record.accuracy.summary().max.raw(); }

  ClockFigures figures;
  live::ClockRecord record{};
  Record segment;
  Brackets usual{TickDelta{100}, TickDelta{100}};
};

TEST_F(FiguresTest, AnErrorIsTheLargestThatTheBracketLeavesPossible) {
  // At 2000 the segment says 6000, and at 2300 it says 6300.
  figures.error_at(segment, sample(2000, 300, 6100));
  EXPECT_EQ(worst(), 200);
  figures.error_at(segment, sample(2000, 300, 6250));
  EXPECT_EQ(worst(), 250);
  figures.error_at(segment, sample(2000, 300, 6000 - 10'000));
  EXPECT_EQ(worst(), 10'300);
  EXPECT_EQ(samples(), 3U);
  EXPECT_EQ(record.accuracy.over_tolerance.load(), 1U);
}

TEST_F(FiguresTest, ABracketThatTheSegmentDoesNotCoverShowsNoError) {
  figures.error_at(segment, sample(900, 300, 6100));
  figures.error_at(segment, sample(100'900, 300, 6100));
  EXPECT_EQ(samples(), 0U);
}

TEST_F(FiguresTest, ASegmentThatHasEndedIsMeasuredWhereItWasServedLast) {
  // It was served up to 61'000, where it said 65'000, and it was sampled 500 ticks later.
  figures.error_at_end(segment, sample(61'500, 100, 65'550), usual);
  EXPECT_EQ(samples(), 1U);
  EXPECT_EQ(worst(), 50);
}

TEST_F(FiguresTest, NothingIsSaidOfALongPauseAPreemptedSampleOrASegmentThatServedNobody) {
  figures.error_at_end(segment, sample(161'000, 100, 165'000), usual);
  figures.error_at_end(segment, sample(60'000, 100, 65'000), usual);
  figures.error_at_end(segment, sample(61'500, 801, 65'550), usual);
  segment.gate = TickDelta{0};
  figures.error_at_end(segment, sample(1500, 100, 65'550), usual);
  EXPECT_EQ(samples(), 0U);
}

TEST_F(FiguresTest, AForkedChildCountsInItsOwnRecord) {
  live::ClockRecord other{};
  figures.record_in(other);
  figures.count_resync(CLOCK_TAI, {Nanos{9}, Nanos{7}});
  figures.count_resync(CLOCK_TAI, {});
  figures.count_disturbance();
  figures.note_unreachable(CLOCK_TAI, Nanos{5});
  EXPECT_EQ(other.clocks[CLOCK_TAI].resyncs.load(), 2U);
  EXPECT_EQ(other.last_resync.load(), 7) << "coarse clocks that can't be read say nothing";
  EXPECT_EQ(other.disturbances.load(), 1U);
  EXPECT_EQ(other.clocks[CLOCK_TAI].unreachable_best.load(), 5);
  EXPECT_EQ(record.clocks[CLOCK_TAI].resyncs.load(), 0U);
}

TEST_F(FiguresTest, BeforeTheStartThereIsNoRecordToRedirect) {
  ClockFigures none;
  none.record_in(record);
  none.start(record, microseconds(10));
  none.count_disturbance();
  EXPECT_EQ(record.disturbances.load(), 1U);
}

}  // namespace
}  // namespace clockshim
