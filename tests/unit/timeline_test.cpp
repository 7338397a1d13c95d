// The timeline with an injected counter and an injected kernel clock: what is served, when it is
// asked again, and what steps, gaps, a refused clock and a counter that goes backwards do. No
// sleeping, no real time.
#include "clock/timeline_impl.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <utility>

namespace clockshim {
namespace {

// A counter of 2 ticks a nanosecond. Each look at it takes 20 ticks; each reading of the clock
// `cost` ticks.
struct FakeSource {
  std::uint64_t ticks = 1'000'000'000;
  std::int64_t offset = 1'700'000'000'000'000'000;  // the real clock = ticks / 2 + offset
  std::uint64_t cost = 60;
  int readings = 0;
  bool refuses = false;
  std::uint64_t stolen =
      0;  // ticks that the next reading of the clock is preempted for, inside its bracket

  unsigned cpu = 0;
  Nanos coarse_wall{0};  // REALTIME_COARSE - MONOTONIC_COARSE

  Reading reading() noexcept { return {Ticks{ticks += 20}, cpu}; }
  // A tick of 4 ms.
  bool coarse(CoarsePair& out) noexcept {
    out.monotonic = Nanos{now().raw() / 4'000'000 * 4'000'000};
    out.realtime = out.monotonic + coarse_wall;
    return true;
  }
  static std::uintptr_t thread() noexcept { return 1; }
  bool real(clockid_t, Nanos& out) noexcept {
    ++readings;
    ticks += cost / 2 + std::exchange(stolen, 0);
    out = now();
    ticks += cost - cost / 2;
    return !refuses;
  }
  [[nodiscard]] Nanos now() const { return Nanos{static_cast<std::int64_t>(ticks / 2) + offset}; }
  void pass(Nanos n) { ticks += static_cast<std::uint64_t>(n.raw()) * 2; }
};

class TimelineTest : public testing::Test {
 protected:
  void start(Nanos tolerance = microseconds(10)) {
    timeline->start(
        {.tolerance = tolerance, .clocks = all_servable(), .coarse_tick = milliseconds(4)}, record);
  }
  // As an interposed call does it: the gate, then the slow side.
  Answer call(Nanos& out, unsigned id = CLOCK_MONOTONIC) {
    timespec t;
    if (timeline->read(id, source.reading().ticks, t)) {
      out = from_timespec(t);
      return Answer::served;
    }
    return timeline->resync(id, source, out);
  }
  Nanos served(unsigned id = CLOCK_MONOTONIC) {
    Nanos out;
    EXPECT_EQ(call(out, id), Answer::served);
    return out;
  }
  // Served, or a real answer while the rate is learned anew.
  Nanos answered(unsigned id = CLOCK_MONOTONIC) {
    Nanos out;
    EXPECT_NE(call(out, id), Answer::none);
    return out;
  }
  // Three samples over a baseline, and the first segment.
  void calibrate(unsigned id = CLOCK_MONOTONIC) {
    Nanos out;
    for (int i = 0; i < 2; ++i) {
      EXPECT_EQ(call(out, id), Answer::real);
      source.pass(Nanos{policy::kFirstBaseline.raw() / 2} + microseconds(10));
    }
    EXPECT_EQ(call(out, id), Answer::served);
  }

  std::unique_ptr<Timeline<FakeSource>> timeline = std::make_unique<Timeline<FakeSource>>();
  live::ClockRecord record{};
  FakeSource source;
};

TEST_F(TimelineTest, ServesNothingBeforeItIsStarted) {
  Nanos out;
  EXPECT_EQ(call(out), Answer::none);
  EXPECT_EQ(source.readings, 0);
}

TEST_F(TimelineTest, TheFirstCallsGetTheRealClockWithoutWaiting) {
  start();
  const Nanos before = source.now();
  Nanos out;
  EXPECT_EQ(call(out), Answer::real);
  EXPECT_GE(out, before);
  EXPECT_LE(out, source.now());
}

TEST_F(TimelineTest, ServesWithinTheBracketAndNeverEarly) {
  start();
  calibrate();
  for (int i = 0; i < 20000; ++i) {
    source.pass(Nanos{777});
    const Nanos before = source.now();
    const Nanos out = served();
    ASSERT_GE(out, before) << "served from the early side at call " << i;
    ASSERT_LE((out - source.now()).raw(), 500) << "call " << i;
  }
  EXPECT_EQ(record.accuracy.summary().over_tolerance, 0U);
  EXPECT_GT(record.accuracy.summary().samples, 2U);
}

TEST_F(TimelineTest, NeverGoesBackwardsOverThousandsOfJointsWithAClockThatSlews) {
  start();
  calibrate();
  Nanos last{0};
  for (int i = 0; i < 200000; ++i) {
    source.pass(Nanos{311});
    if (i % 5 == 0)
      source.offset += (i / 10000) % 2 == 0 ? 0 : -1;  // slewed by some 600 ppm, now and then
    const Nanos out = served();
    ASSERT_GE(out, last) << "call " << i;
    ASSERT_LE(magnitude(out - source.now()), microseconds(10)) << "call " << i;
    last = out;
  }
}

TEST_F(TimelineTest, NothingIsExtrapolatedPastASegmentsEnd) {
  start();
  calibrate();
  source.pass(milliseconds(300));
  source.offset += 5'000'000;  // while nobody looked
  timespec t;
  EXPECT_FALSE(timeline->read(CLOCK_MONOTONIC, source.reading().ticks, t));
  EXPECT_LE(magnitude(answered() - source.now()), microseconds(1));
}

TEST_F(TimelineTest, AStepOfTheWallClockIsTakenOverBothWays) {
  start();
  calibrate(CLOCK_REALTIME);
  for (const std::int64_t step :
       {1'000'000LL, -1'000'000LL, 86'400'000'000'000LL, -86'400'000'000'000LL}) {
    source.offset += step;
    source.coarse_wall = source.coarse_wall + Nanos{step};
    source.pass(policy::kCheckInterval);
    EXPECT_LE(magnitude(served(CLOCK_REALTIME) - source.now()), microseconds(10))
        << "step " << step;
  }
}

// The coarse clocks do not show TAI's seconds: only that this process has set something.
TEST_F(TimelineTest, TaiSecondsThatThisProcessTakesBackAreBackAtOnce) {
  start();
  calibrate(CLOCK_TAI);
  for (const std::int64_t seconds : {-1, 2, -2}) {
    source.offset += seconds * kNanosPerSecond;
    timeline->clocks_were_set();
    EXPECT_LE(magnitude(answered(CLOCK_TAI) - source.now()), microseconds(1)) << seconds;
    source.pass(milliseconds(2));
    EXPECT_LE(magnitude(served(CLOCK_TAI) - source.now()), microseconds(1)) << seconds;
  }
}

// While nobody steps it, TAI stands where it stood however often this process says that it has set
// something.
TEST_F(TimelineTest, TaiDoesNotGoBackWhereSomethingElseWasSet) {
  start();
  calibrate(CLOCK_TAI);
  Nanos last{0};
  for (int i = 0; i < 2000; ++i) {
    source.pass(microseconds(3));
    if (i % 7 == 0) timeline->clocks_were_set();
    const Nanos out = answered(CLOCK_TAI);
    ASSERT_GE(out, last) << i;
    last = out;
  }
}

TEST_F(TimelineTest, WhatWasServedWrongIsInTheFigures) {
  start();
  calibrate();
  for (int i = 0; i < 100'000; ++i)
    source.pass(microseconds(20)), served();  // a baseline as long as any
  EXPECT_EQ(record.accuracy.summary().over_tolerance, 0U);
  // The kernel's clock runs faster by a tenth, as by adjtimex's tick.
  Nanos worst{0};
  for (int i = 0; i < 3000; ++i) {
    source.pass(microseconds(5));
    source.offset += 500;
    worst = std::max(worst, magnitude(answered() - source.now()));
  }
  EXPECT_GT(worst, microseconds(200));
  EXPECT_LE(record.disturbances.load(), 1U) << "the next segment has the rate of before";
  const AccuracySummary accuracy = record.accuracy.summary();
  EXPECT_GT(accuracy.over_tolerance, 0U);
  EXPECT_GE(accuracy.max, worst - microseconds(1));
  EXPECT_LE(accuracy.max, worst + microseconds(20))
      << "no more than was served, but for what one gate lets through";
}

// The same where nobody comes to refresh the segment before it is over.
TEST_F(TimelineTest, WhatWasServedWrongBeforeAPauseIsInTheFigures) {
  start();
  calibrate();
  for (int i = 0; i < 3000; ++i) source.pass(Nanos{1000}), served();
  const std::uint64_t disturbances = record.disturbances.load();
  Nanos worst{0};
  Nanos last = served();
  for (int i = 0; i < 100 && record.disturbances.load() == disturbances; ++i) {
    const auto step = i % 20 == 19 ? 4000 : 100;  // microseconds
    source.pass(microseconds(step));
    source.offset += step * 100;
    Nanos out;
    if (call(out) == Answer::served && step == 100)
      worst = std::max(worst, magnitude(out - source.now()));
    ASSERT_GE(out, last);
    last = out;
  }
  EXPECT_GE(record.accuracy.summary().max, worst - microseconds(1));
}

TEST_F(TimelineTest, MonotonicIsBrakedAndNotSteppedBack) {
  start();
  calibrate();
  Nanos last = served();
  source.offset -= 300'000;  // the counter jumped ahead of the clock by 300 us
  for (int i = 0; i < 30000; ++i) {
    source.pass(Nanos{1000});
    const Nanos out = answered();
    ASSERT_GE(out, last) << i;
    last = out;
  }
  EXPECT_LE(magnitude(served() - source.now()), microseconds(10))
      << "it should have caught up by now";
  EXPECT_GT(record.disturbances.load(), 0U);
}

TEST_F(TimelineTest, ACounterThatFallsBehindGetsTheRealClockAndNothingBelowWhatWasServed) {
  start();
  calibrate();
  const Nanos last = served();
  source.ticks -= 40'000'000;  // 20 ms
  source.offset += 20'000'000;
  Nanos out;
  EXPECT_NE(call(out), Answer::none);
  EXPECT_GE(out + microseconds(10), last);
  EXPECT_LE(magnitude(out - source.now()), milliseconds(5));
}

TEST_F(TimelineTest, AToleranceBelowTheBracketIsRefusedWithTheFigureThatCouldBeKept) {
  source.cost = 10'000;  // a 5 us clock
  start(microseconds(1));
  Nanos out;
  for (int i = 0; i < 50; ++i) {
    source.pass(microseconds(100));
    call(out);
  }
  EXPECT_EQ(call(out), Answer::none) << "the real function's turn";
  const std::int64_t best = record.clocks[CLOCK_MONOTONIC].unreachable_best.load();
  EXPECT_GT(best, 5000);
  EXPECT_LT(best, 20'000);
}

TEST_F(TimelineTest, APreemptedFirstSampleDoesNotPassTheClockThroughForGood) {
  start();
  source.stolen = 16'000'000;  // 8 ms
  Answer last = Answer::none;
  for (int i = 0; i < 2000; ++i) {
    source.pass(microseconds(5));
    Nanos out;
    last = call(out);
    ASSERT_LE(magnitude(out - source.now()), microseconds(1)) << "call " << i;
  }
  EXPECT_EQ(last, Answer::served);
}

TEST_F(TimelineTest, APreemptedSampleDoesNotMakeTheClockJump) {
  start();
  calibrate();
  for (int i = 0; i < 20'000; ++i) {
    source.pass(microseconds(5));
    if (i % 37 == 0) source.stolen = static_cast<std::uint64_t>(i % 11) * 40'000;  // up to 200 us
    const std::int64_t taken = static_cast<std::int64_t>(source.stolen / 2);
    const Nanos out = answered();
    ASSERT_GE(out, source.now() - Nanos{taken} - microseconds(1)) << "call " << i;
    ASSERT_LE(out, source.now() + microseconds(1)) << "call " << i;
  }
}

TEST_F(TimelineTest, ASlowClockIsReadOnceAResync) {
  source.cost = 10'000;
  start();
  calibrate();
  for (int i = 0; i < 100; ++i) source.pass(microseconds(50)), served();
  const int before = source.readings;
  const std::uint64_t resyncs = record.clocks[CLOCK_MONOTONIC].resyncs.load();
  for (int i = 0; i < 10000; ++i) source.pass(microseconds(10)), served();
  const auto more = record.clocks[CLOCK_MONOTONIC].resyncs.load() - resyncs;
  EXPECT_GT(more, 10U);
  EXPECT_LE(static_cast<std::uint64_t>(source.readings - before), more + more / 8);
}

TEST_F(TimelineTest, AClockThatTheKernelRefusesIsNotServed) {
  start();
  source.refuses = true;
  Nanos out;
  EXPECT_EQ(call(out), Answer::none);
}

TEST_F(TimelineTest, ClocksDoNotMix) {
  timeline->start({.tolerance = microseconds(10), .clocks = mask_of(CLOCK_REALTIME)}, record);
  Nanos out;
  EXPECT_EQ(call(out, CLOCK_MONOTONIC), Answer::none);
  EXPECT_EQ(call(out, CLOCK_REALTIME), Answer::real);
  EXPECT_EQ(call(out, CLOCK_PROCESS_CPUTIME_ID), Answer::none);
}

}  // namespace
}  // namespace clockshim
