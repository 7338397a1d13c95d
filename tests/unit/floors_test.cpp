// Floors alone: what may be served next, without any segment.
#include "clock/floors.h"

#include <gtest/gtest.h>

namespace clockshim {
namespace {

constexpr unsigned kId = CLOCK_REALTIME;
constexpr std::int64_t kStart = 50 * kNanosPerSecond - 1000;

class FloorsTest : public testing::Test {
 protected:
  void SetUp() override { floors.start(microseconds(10)); }

  // As the fast path does it; `seen` is the floor as it was loaded before the counter was read.
  bool keeps_order(std::int64_t value, std::int64_t seen) {
    out.tv_sec = value / kNanosPerSecond;
    out.tv_nsec = value % kNanosPerSecond;
    return floors.keep_order(floors.of(kId), seen, out,
                             [](Floor& floor, std::int64_t& expected, std::int64_t to) {
                               return floor.compare_exchange_strong(expected, to);
                             });
  }
  [[nodiscard]] std::int64_t answer() const { return from_timespec(out).raw(); }
  bool clamps(std::int64_t& value, Floor& floor, std::int64_t before) {
    Nanos nanos{value};
    const bool good = floors.clamp(kId, nanos, floor, before);
    value = nanos.raw();
    return good;
  }

  Floors floors;
  timespec out{};
};

TEST_F(FloorsTest, ALaterTimeRaisesTheFloor) {
  floors.raise(kId, Nanos{kStart});
  EXPECT_TRUE(keeps_order(kStart + 7, kStart));
  EXPECT_EQ(answer(), kStart + 7);
  EXPECT_EQ(floors.value(kId), kStart + 7);
  EXPECT_EQ(floors.value(CLOCK_MONOTONIC), 0);
}

TEST_F(FloorsTest, AnEarlierTimeIsRaisedToTheFloorAcrossASecond) {
  floors.raise(kId, Nanos{kStart + 2000});
  EXPECT_TRUE(keeps_order(kStart, kStart + 2000));
  EXPECT_EQ(answer(), kStart + 2000);
  EXPECT_EQ(out.tv_nsec, 1000);
}

TEST_F(FloorsTest, ATimeFarBelowTheFloorIsForTheSlowPath) {
  const std::int64_t far = floors.step_back().raw() + 1;
  EXPECT_EQ(floors.step_back(), microseconds(20));
  floors.raise(kId, Nanos{kStart + far});
  EXPECT_FALSE(keeps_order(kStart, kStart + far));
  EXPECT_TRUE(keeps_order(kStart + 1, kStart + far));
}

TEST_F(FloorsTest, AFirstCallIsForTheSlowPath) { EXPECT_FALSE(keeps_order(kStart, 0)); }

TEST_F(FloorsTest, AFloorThatWasLoweredMeanwhileMakesTheReadingStale) {
  floors.raise(kId, Nanos{kStart});
  EXPECT_EQ(floors.lowered(kId, kStart, Nanos{kStart - 5'000'000}, true),
            Nanos{kStart - 5'000'000});
  EXPECT_FALSE(keeps_order(kStart + 7, kStart));
  std::int64_t value = kStart + 7;
  EXPECT_FALSE(clamps(value, floors.of(kId), kStart));
}

TEST_F(FloorsTest, OneMeetingInSixteenIsLookedAtByTheSlowPath) {
  int sent = 0;
  for (std::int64_t n = 0; n < 160; ++n) {
    floors.raise(kId, Nanos{kStart + n});
    // Another thread has raised it since this one has loaded it, but to less than this one's time.
    sent += keeps_order(kStart + n + 1, kStart + n - 1) ? 0 : 1;
  }
  EXPECT_EQ(sent, 160 / policy::kMeetingsPerHandoff);
}

TEST_F(FloorsTest, TheSlowPathClampsByAnyAmountAndPublishes) {
  floors.raise(kId, Nanos{kStart});
  std::int64_t value = kStart - 5'000'000;
  EXPECT_TRUE(clamps(value, floors.of(kId), kStart));
  EXPECT_EQ(value, kStart);
  value = kStart + 5;
  EXPECT_TRUE(clamps(value, floors.of(kId), kStart));
  EXPECT_EQ(floors.value(kId), kStart + 5);
}

TEST_F(FloorsTest, AThreadsFirstAnswerIsNotBelowTheSharedFloor) {
  floors.raise(kId, Nanos{kStart});
  ThreadFloor own;
  std::int64_t value = kStart - 100;
  EXPECT_TRUE(clamps(value, own.value, 0));
  EXPECT_EQ(value, kStart);
  EXPECT_EQ(own.value.load(), kStart);
  EXPECT_EQ(floors.value(kId), kStart) << "and it leaves the shared one alone";
}

TEST_F(FloorsTest, OnlyAStepLowersAFloorAndOnlyOneThatIsTooLongToWaitFor) {
  floors.raise(kId, Nanos{kStart});
  const Nanos little = Nanos{kStart} - floors.step_back();
  const Nanos far = little - Nanos{1};
  EXPECT_EQ(floors.lowered(kId, kStart, far, false), Nanos{kStart});
  EXPECT_EQ(floors.lowered(kId, kStart, little, true), Nanos{kStart});
  EXPECT_EQ(floors.value(kId), kStart);
  EXPECT_EQ(floors.lowered(kId, kStart, far, true), far);
  EXPECT_EQ(floors.value(kId), far.raw());
}

TEST_F(FloorsTest, WhatTheFloorHasGrownByDuringACallIsNoEvidenceOfAStep) {
  floors.raise(kId, Nanos{kStart + 5'000'000});
  EXPECT_EQ(floors.lowered(kId, kStart, Nanos{kStart}, true), Nanos{kStart});
  EXPECT_EQ(floors.value(kId), kStart + 5'000'000);
}

TEST_F(FloorsTest, AnAnswerWithoutASegmentRaisesAFloorThatWasNotLowered) {
  floors.raise(kId, Nanos{kStart});
  floors.raise_unless_lowered(kId, kStart, Nanos{kStart + 10});
  EXPECT_EQ(floors.value(kId), kStart + 10);
  floors.raise_unless_lowered(kId, kStart + 20, Nanos{kStart + 30});
  EXPECT_EQ(floors.value(kId), kStart + 10) << "it was lowered from +20 to +10";
  floors.raise_unless_lowered(kId, kStart, Nanos{kStart + 5});
  EXPECT_EQ(floors.value(kId), kStart + 10);
}

TEST_F(FloorsTest, AThreadsOwnFloorFollowsEachStepOnce) {
  ThreadFloor own;
  own.value = kStart;
  std::int64_t before = kStart;
  const Nanos back{kStart - 5'000'000};
  floors.follow_step(back, own, before);
  EXPECT_EQ(own.value.load(), kStart) << "nobody has noticed a step";
  floors.note_step();
  floors.follow_step(Nanos{kStart} - floors.step_back(), own, before);
  EXPECT_EQ(own.value.load(), kStart) << "so short a step is waited out";
  floors.note_step();
  floors.follow_step(back, own, before);
  EXPECT_EQ(own.value.load(), back.raw());
  EXPECT_EQ(before, back.raw());
  own.value = before = kStart;
  floors.follow_step(back, own, before);
  EXPECT_EQ(own.value.load(), kStart);
}

TEST_F(FloorsTest, TheWallIsNotedForEachClock) {
  EXPECT_TRUE(floors.note_wall(kId, Nanos{5}));
  EXPECT_FALSE(floors.note_wall(kId, Nanos{5}));
  EXPECT_TRUE(floors.note_wall(CLOCK_TAI, Nanos{5}));
  EXPECT_TRUE(floors.note_wall(kId, Nanos{6}));
}

}  // namespace
}  // namespace clockshim
