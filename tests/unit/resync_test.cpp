// Resync alone: which segment a sample leads to, without Timeline's choice of one. The counter and
// the clock are moved by hand.
#include "clock/resync_impl.h"

#include <gtest/gtest.h>

#include <memory>

namespace clockshim {
namespace {

constexpr unsigned kId = CLOCK_REALTIME;

// A counter of 2 ticks a nanosecond, and a clock that can be set.
struct SetClock {
  std::uint64_t ticks = 1'000'000'000;
  std::int64_t offset = 1'000'000'000'000;
  unsigned cpu = 0;
  bool refuses = false;

  Reading reading() noexcept { return {Ticks{ticks += 20}, cpu}; }
  [[nodiscard]] Nanos now() const { return Nanos{static_cast<std::int64_t>(ticks / 2) + offset}; }
  bool real(clockid_t, Nanos& out) noexcept {
    ticks += 100;
    out = now();
    ticks += 100;
    return !refuses;
  }
  bool coarse(CoarsePair& out) const noexcept {
    out.monotonic = Nanos{static_cast<std::int64_t>(ticks / 2 / 4'000'000 * 4'000'000)};
    out.realtime = out.monotonic + Nanos{offset};
    return true;
  }
  static std::uintptr_t thread() noexcept { return 1; }
};

class ResyncTest : public testing::Test {
 protected:
  void SetUp() override {
    const TimelineSettings settings{.tolerance = microseconds(10),
                                    .clocks = all_servable(),
                                    .coarse_tick = milliseconds(4),
                                    .can_tell_cpus = true};
    state->start(settings, record);
    floors.start(settings.tolerance);
    mode->start(settings);
  }
  // One attempt of a call, at the counter as it is.
  template <class Work>
  auto attempt(Work work, unsigned domain = kCommon) {
    chain = {domain, kId};
    const SlowCall call{chain, floors.value(kId), source.reading()};
    Resync<SetClock> resync{*store, floors, *mode, *state, source, call};
    return work(resync);
  }
  Attempt begin(Nanos& out, unsigned domain = kCommon) {
    return attempt(
        [&](Resync<SetClock>& resync) {
          Record last;
          const SegmentRef head = store->head(chain);
          return resync.begin(head, store->current(chain), store->get(head, last) ? &last : nullptr,
                              out);
        },
        domain);
  }
  bool refresh() {
    return attempt([&](Resync<SetClock>& resync) {
      return resync.refresh(store->head(chain), store->head(chain), newest());
    });
  }
  [[nodiscard]] Record newest() const {
    Record newest;
    EXPECT_TRUE(store->get(store->head(chain), newest));
    return newest;
  }
  // Three samples, of which the last knows the rate.
  void calibrate(unsigned domain = kCommon) {
    Nanos out;
    for (int i = 0; i < 2; ++i) {
      EXPECT_EQ(begin(out, domain), Attempt::real);
      source.ticks += 2 * 510'000;
    }
    EXPECT_EQ(begin(out, domain), Attempt::again) << "there is a segment now";
  }

  std::unique_ptr<SegmentStore> store = std::make_unique<SegmentStore>();
  Floors floors;
  std::unique_ptr<Mode> mode = std::make_unique<Mode>();
  std::unique_ptr<ResyncState> state = std::make_unique<ResyncState>();
  live::ClockRecord record{};
  SetClock source;
  ChainId chain{};
};

TEST_F(ResyncTest, WhileTheRateIsUnknownAnswersAreReal) {
  Nanos out;
  EXPECT_EQ(begin(out), Attempt::real);
  EXPECT_LE(out, source.now());
  EXPECT_EQ(newest().segment.length, TickDelta{0});
  const SegmentRef first = store->head(chain);
  EXPECT_EQ(begin(out), Attempt::real);
  EXPECT_EQ(store->head(chain), first) << "so soon after it there is nothing to publish";
}

TEST_F(ResyncTest, TheThirdSampleBeginsASegmentThatBecomesCurrent) {
  calibrate();
  EXPECT_EQ(store->current(chain), store->head(chain));
  const Record segment = newest();
  EXPECT_TRUE(segment.segment.covers(Ticks{source.ticks}));
  const Nanos error = magnitude(segment.segment.at(Ticks{source.ticks}) - source.now());
  EXPECT_LE(error, Nanos{100});
  EXPECT_GT(segment.gate, TickDelta{0});
  EXPECT_LT(segment.gate, segment.segment.length);
  EXPECT_EQ(record.clocks[kId].resyncs.load(), 1U);
  EXPECT_TRUE(state->histories.of(chain).served());
}

TEST_F(ResyncTest, ASuccessorStartsWhereAndAtWhatItsPredecessorEnds) {
  calibrate();
  const SegmentRef first = store->head(chain);
  const Record before = newest();
  EXPECT_TRUE(refresh());
  EXPECT_NE(store->head(chain), first);
  EXPECT_EQ(store->current(chain), first) << "until the joint";
  const Record after = newest();
  EXPECT_EQ(after.segment.start, before.segment.end());
  EXPECT_EQ(after.segment.base, before.segment.end_value());
  EXPECT_EQ(after.gate, TickDelta{0});
}

TEST_F(ResyncTest, AStepBackClosesTheSegmentAndLowersTheFloor) {
  calibrate();
  const SegmentRef first = store->head(chain);
  floors.raise(kId, source.now());
  source.offset -= 1'000'000'000;
  EXPECT_FALSE(refresh());
  Record closed;
  ASSERT_TRUE(store->get(first, closed));
  EXPECT_EQ(closed.closed, Closed::set);
  EXPECT_EQ(record.disturbances.load(), 1U);
  Nanos out;
  EXPECT_EQ(begin(out), Attempt::again);
  EXPECT_LE(newest().segment.base, source.now());
  EXPECT_LE(floors.value(kId), source.now().raw());
  EXPECT_EQ(newest().calibration.rate, closed.calibration.rate) << "a step does not change it";
}

TEST_F(ResyncTest, ACheckFindsAStepAndSaysWhenTheNextIsDue) {
  calibrate();
  const auto check = [this](Resync<SetClock>& resync) { return resync.check_coarse(newest()); };
  const CoarseCheck good = attempt(check);
  EXPECT_FALSE(good.stepped || good.suspicious || good.ahead);
  EXPECT_EQ(good.step, to_ticks(policy::kCheckInterval, newest().calibration.rate).raw());
  source.offset += 1;
  EXPECT_TRUE(attempt(check).stepped);
}

TEST_F(ResyncTest, ASampleFromAnotherCpusDomainMakesNoSegment) {
  calibrate(domain_of(0));
  const SegmentRef first = store->head(chain);
  store->close(first, Closed::over);
  source.cpu = 1;
  Nanos out;
  EXPECT_EQ(begin(out, domain_of(0)), Attempt::real);
  EXPECT_EQ(store->head(chain), first);
}

TEST_F(ResyncTest, ASegmentThatComesAfterADemotionIsNotServed) {
  Nanos out;
  for (int i = 0; i < 2; ++i) {
    begin(out);
    source.ticks += 2 * 510'000;
  }
  mode->demote(ModeChange::residual, 0, *store, record);
  EXPECT_EQ(begin(out), Attempt::again);
  EXPECT_EQ(newest().closed, Closed::over);
  EXPECT_NE(store->current(chain), store->head(chain));
}

TEST_F(ResyncTest, AClockThatCannotBeReadMakesNoAnswer) {
  source.refuses = true;
  Nanos out;
  EXPECT_EQ(begin(out), Attempt::none);
  EXPECT_EQ(store->head(chain), 0U);
}

}  // namespace
}  // namespace clockshim
