// One timeline for all CPUs, or one for each: what evidence changes it, and what is served then.
// Two CPUs, whose counters and whose turn the test decides.
#include <gtest/gtest.h>

#include <memory>

#include "clock/timeline_impl.h"

namespace clockshim {
namespace {

// Two counters of 2 ticks a nanosecond; the clock is that of CPU 0.
struct TwoCpus {
  std::uint64_t ticks = 1'000'000'000;
  std::int64_t behind = 0;  // how many ticks CPU 1's counter is behind CPU 0's
  unsigned cpu = 0;
  std::int64_t tai_offset = 0;  // seconds

  Reading reading() noexcept {
    ticks += 20;
    return {Ticks{ticks - static_cast<std::uint64_t>(cpu == 1 ? behind : 0)}, cpu};
  }
  bool real(clockid_t id, Nanos& out) noexcept {
    out = Nanos{static_cast<std::int64_t>((ticks += 60) / 2)};
    if (id == CLOCK_TAI) out = out + Nanos{tai_offset * kNanosPerSecond};
    return true;
  }
  bool coarse(CoarsePair& out) noexcept {
    out.monotonic = Nanos{static_cast<std::int64_t>(ticks / 2 / 4'000'000 * 4'000'000)};
    out.realtime = out.monotonic;
    return true;
  }
  static std::uintptr_t thread() noexcept { return 1; }
};

class DomainsTest : public testing::Test {
 protected:
  void start(bool per_cpu, bool can_tell_cpus = true) {
    timeline->start({.tolerance = microseconds(10),
                     .clocks = all_servable(),
                     .coarse_tick = milliseconds(4),
                     .cpus = 2,
                     .per_cpu = per_cpu,
                     .can_tell_cpus = can_tell_cpus,
                     .may_promote = true},
                    record);
  }
  Nanos ask(unsigned cpu, unsigned id = CLOCK_MONOTONIC) {
    source.cpu = cpu;
    Nanos out;
    answer = timeline->resync(id, source, out);
    return out;
  }
  // Both CPUs in turn, `each` times, with `ticks` in between.
  void take_turns(int each, std::uint64_t ticks) {
    for (int i = 0; i < 2 * each; ++i) {
      source.ticks += ticks;
      ask(static_cast<unsigned>(i % 2));
    }
  }
  [[nodiscard]] bool per_cpu() const { return (timeline->mode_bits() & kPerCpu) != 0; }

  std::unique_ptr<Timeline<TwoCpus>> timeline = std::make_unique<Timeline<TwoCpus>>();
  live::ClockRecord record{};
  TwoCpus source;
  Answer answer = Answer::none;
};

TEST_F(DomainsTest, CountersThatAgreeStayTogether) {
  start(false);
  take_turns(20'000, 1000);
  EXPECT_FALSE(per_cpu());
  EXPECT_EQ(record.last_change.load(), ModeChange::none);
}

TEST_F(DomainsTest, AReadingBehindAnotherCpusPartsThem) {
  start(false);
  take_turns(2000, 1000);
  source.behind = 5000;
  take_turns(2, 1000);
  EXPECT_TRUE(per_cpu());
  EXPECT_EQ(record.last_change.load(), ModeChange::warp);
  EXPECT_LE(record.change_ticks.load(), 5000U);
  EXPECT_GT(record.change_ticks.load(), 3000U);
}

TEST_F(DomainsTest, ASampleThatDoesNotFitAnotherCpusPartsThem) {
  start(false);
  take_turns(2000, 1000);
  source.behind =
      -200'000;  // 100 us ahead: no reading is behind another where turns are far between
  for (int i = 0; i < 40 && !per_cpu(); ++i) {
    source.ticks += 400'000;
    ask(static_cast<unsigned>(i % 2));
  }
  EXPECT_TRUE(per_cpu());
  EXPECT_EQ(record.last_change.load(), ModeChange::residual);
}

TEST_F(DomainsTest, NothingGoesBackwardsWhileTheyAreParted) {
  start(false);
  take_turns(2000, 1000);
  Nanos last = ask(0);
  source.behind = 30'000;
  for (int i = 0; i < 40'000; ++i) {
    source.ticks += 500;
    const Nanos now = ask(static_cast<unsigned>(i % 2));
    if (!per_cpu()) continue;
    ASSERT_GE(now, last) << "reading " << i;
    last = now;
  }
  EXPECT_TRUE(per_cpu());
}

// The CPU's own segments do not say that the floor is of the time before.
TEST_F(DomainsTest, TaisSecondsAreTakenBackOnACpuThatHasServedNone) {
  start(true);
  source.tai_offset = 37;
  for (int i = 0; i < 20'000; ++i) {
    source.ticks += 1000;
    ask(0, CLOCK_TAI);
  }
  ASSERT_EQ(answer, Answer::served);
  source.tai_offset = 36;
  timeline->clocks_were_set();
  const Nanos now = ask(1, CLOCK_TAI);
  EXPECT_LE((now - Nanos{36 * kNanosPerSecond}).raw(),
            static_cast<std::int64_t>(source.ticks / 2) + 10'000);
}

TEST_F(DomainsTest, TightHandoffsASecondApartJoinThem) {
  start(true);
  take_turns(1200, 500);
  EXPECT_TRUE(per_cpu()) << "once is not enough: the counters may drift";
  source.ticks += 2'200'000'000;  // 1.1 s
  take_turns(1200, 500);
  EXPECT_FALSE(per_cpu());
  EXPECT_EQ(record.last_change.load(), ModeChange::promoted);
  take_turns(4000, 1000);
  EXPECT_EQ(answer, Answer::served);
}

TEST_F(DomainsTest, LooseHandoffsProveNothing) {
  start(true);
  for (int second = 0; second < 3; ++second) {
    take_turns(2000, 5000);
    source.ticks += 2'200'000'000;
  }
  EXPECT_TRUE(per_cpu());
}

TEST_F(DomainsTest, CountersThatDriftAreNotJoined) {
  start(true);
  for (int i = 0; i < 200'000; ++i) {
    source.ticks += 20'000;
    source.behind += i % 50 == 0 ? 100 : 0;  // 100 ppm
    ask(static_cast<unsigned>(i % 2));
    source.ticks += 100;
    ask(static_cast<unsigned>((i + 1) % 2));
  }
  EXPECT_TRUE(per_cpu());
}

TEST_F(DomainsTest, WhereCpusCannotBeToldApartAWarpEndsTheService) {
  start(false, false);
  source.behind = 0;
  take_turns(2000, 1000);
  EXPECT_EQ(answer, Answer::served);
  source.behind = 5000;
  Nanos last{0};
  for (unsigned i = 0; i < 6; ++i) {
    source.ticks += 1000;
    const Nanos out = ask(i % 2);
    EXPECT_GE(out, last) << "real answers follow served ones";
    last = out;
  }
  EXPECT_EQ(answer, Answer::real);
  EXPECT_EQ(record.last_change.load(), ModeChange::stopped);
}

// Clock ids have gaps, chains have none: each clock's own chain says whether it was served.
TEST_F(DomainsTest, AfterTheServiceHasEndedEachClockThatWasServedIsAnsweredFor) {
  start(false, false);
  for (const clockid_t served : {CLOCK_MONOTONIC_RAW, CLOCK_BOOTTIME}) {
    for (unsigned i = 0; i < 2000; ++i) {
      source.ticks += 1000;
      ask(i % 2, static_cast<unsigned>(served));
    }
    EXPECT_EQ(answer, Answer::served);
  }
  source.behind = 5000;
  for (unsigned i = 0; i < 6; ++i) ask(i % 2);
  ASSERT_EQ(record.last_change.load(), ModeChange::stopped);
  for (unsigned id = 0; id < kClockIds; ++id) {
    const bool served = id == CLOCK_MONOTONIC_RAW || id == CLOCK_BOOTTIME;
    EXPECT_EQ(timeline->has_served(id), served) << clock_name(id);
    ask(0, id);
    EXPECT_EQ(answer, served ? Answer::real : Answer::none) << clock_name(id);
  }
}

}  // namespace
}  // namespace clockshim
