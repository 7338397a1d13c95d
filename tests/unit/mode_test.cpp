// Mode alone: its states, and what a change does to the segments and floors. What evidence leads to
// a change, over whole calls, is domains_test.cpp's.
#include "clock/mode.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

namespace clockshim {
namespace {

constexpr ChainId kCommonChain{kCommon, CLOCK_MONOTONIC};
constexpr ChainId kCpuChain{domain_of(1), CLOCK_MONOTONIC};

// A counter on the CPU that the test says.
struct Counter {
  std::uint64_t ticks = 1'000'000;
  unsigned cpu = 0;
  Nanos boottime = milliseconds(60'000);  // 0: it can't be read

  [[nodiscard]] Reading reading() const noexcept { return {Ticks{ticks}, cpu}; }
  bool real(clockid_t, Nanos& out) const noexcept {
    out = boottime;
    return out.raw() != 0;
  }
  static bool coarse(CoarsePair&) noexcept { return false; }
  static std::uintptr_t thread() noexcept { return 1; }
};

class ModeTest : public testing::Test {
 protected:
  void start(bool per_cpu, bool can_tell_cpus = true) {
    mode->start({.tolerance = microseconds(10),
                 .clocks = all_servable(),
                 .cpus = 2,
                 .relaxed = true,
                 .per_cpu = per_cpu,
                 .can_tell_cpus = can_tell_cpus,
                 .may_promote = true});
  }
  SegmentRef begin(ChainId chain, std::int64_t base) {
    Record segment;
    segment.segment = {Ticks{0}, TickDelta{1000}, Rate{1ULL << kRateShift}, Nanos{base}};
    segment.gate = TickDelta{500};
    SegmentRef head = store->head(chain);
    EXPECT_EQ(store->publish(chain, 1, head, segment), SegmentStore::Published::done);
    store->make_current(chain, store->current(chain), head);
    return head;
  }
  [[nodiscard]] Closed closed(SegmentRef ref) const {
    Record segment;
    EXPECT_TRUE(store->get(ref, segment));
    return segment.closed;
  }
  void demote(ModeChange why) { mode->demote(why, 42, *store, record); }
  Reading read_on(unsigned cpu, std::uint64_t ticks) {
    source.cpu = cpu;
    source.ticks = ticks;
    return mode->witnessed_reading(source, *store, record);
  }
  // Tight handoffs both ways between two CPUs, until the witness is satisfied.
  void agree() {
    std::uint64_t ticks = source.ticks;
    for (unsigned n = 0; n < 2 * policy::kHandoffs + 2; ++n) read_on(n % 2, ticks += 100);
  }

  std::unique_ptr<SegmentStore> store = std::make_unique<SegmentStore>();
  Floors floors;
  std::unique_ptr<Mode> mode = std::make_unique<Mode>();
  live::ClockRecord record{};
  Counter source;
};

TEST_F(ModeTest, NothingIsServedBeforeTheStart) {
  for (unsigned id = 0; id < kClockIds; ++id) EXPECT_FALSE(mode->serves(id));
  EXPECT_EQ(mode->bits(), 0);
}

TEST_F(ModeTest, DemotionIsSettledBeforeItIsOver) {
  start(false);
  EXPECT_EQ(mode->bits(), kRelaxed);
  const SegmentRef common = begin(kCommonChain, 7000);
  demote(ModeChange::residual);
  EXPECT_EQ(mode->bits(), kRelaxed | kPerCpu | kSettling);
  EXPECT_EQ(record.last_change.load(), ModeChange::residual);
  EXPECT_EQ(record.change_ticks.load(), 42U);
  EXPECT_EQ(closed(common), Closed::no);
  mode->settle(*store, floors);
  EXPECT_EQ(mode->bits(), kRelaxed | kPerCpu);
  EXPECT_EQ(closed(common), Closed::over);
  EXPECT_EQ(floors.value(CLOCK_MONOTONIC), 7500) << "what may have been served below the gate";
  EXPECT_EQ(floors.value(CLOCK_REALTIME), 0);
}

TEST_F(ModeTest, ASecondDemotionChangesNothing) {
  start(false);
  demote(ModeChange::warp);
  mode->settle(*store, floors);
  demote(ModeChange::residual);
  EXPECT_EQ(mode->bits(), kRelaxed | kPerCpu);
  EXPECT_EQ(record.last_change.load(), ModeChange::warp);
}

TEST_F(ModeTest, ASegmentThatBecameCurrentMeanwhileIsSettled) {
  start(false);
  const SegmentRef old = begin(kCommonChain, 7000);
  Mode::settle_clock(CLOCK_MONOTONIC, *store, floors);
  const SegmentRef late = begin(kCommonChain, 9000);
  Mode::settle_clock(CLOCK_MONOTONIC, *store, floors);
  EXPECT_EQ(closed(old), Closed::over);
  EXPECT_EQ(closed(late), Closed::over);
  EXPECT_EQ(floors.value(CLOCK_MONOTONIC), 9500);
}

TEST_F(ModeTest, WhereCpusCannotBeToldApartTheServiceEndsForGood) {
  start(false, false);
  const SegmentRef common = begin(kCommonChain, 7000);
  demote(ModeChange::warp);
  EXPECT_EQ(mode->bits(), kRelaxed);
  EXPECT_EQ(record.last_change.load(), ModeChange::stopped);
  EXPECT_EQ(closed(common), Closed::over);
  for (unsigned id = 0; id < kClockIds; ++id) EXPECT_FALSE(mode->serves(id));
}

TEST_F(ModeTest, AReadingBehindAnotherCpusDemotesTheSecondTime) {
  start(false);
  const SegmentRef common = begin(kCommonChain, 7000);
  EXPECT_EQ(read_on(0, 5000).ticks, Ticks{5000});
  EXPECT_EQ(read_on(0, 4000).ticks, Ticks{4000}) << "of one CPU it proves nothing about two";
  EXPECT_EQ(mode->bits(), kRelaxed);
  read_on(0, 6000);
  read_on(1, 5980);
  EXPECT_EQ(mode->bits(), kRelaxed) << "all counters may have gone back together";
  EXPECT_EQ(closed(common), Closed::disturbed);
  EXPECT_EQ(record.disturbances.load(), 1U);
  read_on(0, 6000);
  read_on(1, 5990);
  EXPECT_EQ(mode->bits(), kRelaxed | kPerCpu | kSettling);
  EXPECT_EQ(record.last_change.load(), ModeChange::warp);
  EXPECT_EQ(record.change_ticks.load(), 10U);
}

TEST_F(ModeTest, CountersThatGoBackTogetherNowAndThenDoNotDemote) {
  start(false);
  std::uint64_t ticks = 1'000'000'000;
  for (int sleep = 0; sleep < 100; ++sleep) {
    read_on(0, ticks);
    read_on(1, ticks -= 1000);
    source.boottime = source.boottime + policy::kSuspicionSpan;
  }
  EXPECT_EQ(mode->bits(), kRelaxed);
  EXPECT_EQ(record.disturbances.load(), 100U);
}

TEST_F(ModeTest, WithoutATimeOneReadingBehindDemotes) {
  start(false);
  source.boottime = Nanos{0};
  read_on(0, 6000);
  read_on(1, 5990);
  EXPECT_EQ(mode->bits(), kRelaxed | kPerCpu | kSettling);
}

TEST(WitnessTest, OfThreadsBehindTheSameReadingOneFindsSo) {
  Witness witness;
  witness.judge(witness.newest(), {Ticks{6000}, 0});
  const Witness::Token seen = witness.newest();
  EXPECT_EQ(witness.judge(seen, {Ticks{5990}, 1}), 10U);
  EXPECT_EQ(witness.judge(seen, {Ticks{5980}, 2}), 0U);
}

TEST(WitnessTest, BeforeTheFirstReadingThereIsNoneToBeBehind) {
  Witness witness;
  const Witness::Token none = witness.newest();
  const Ticks after_40_days{std::uint64_t{1} << 53};
  EXPECT_EQ(witness.judge(none, {after_40_days, 0}), 0U);
  EXPECT_EQ(witness.judge(none, {after_40_days, 1}), 0U);
}

TEST_F(ModeTest, TwoRoundsOfEvidenceASecondApartPromote) {
  start(true);
  const SegmentRef own = begin(kCpuChain, 7000);
  EXPECT_FALSE(mode->may_promote());
  agree();
  ASSERT_TRUE(mode->may_promote());
  mode->promote(milliseconds(1), *store, record);
  EXPECT_EQ(mode->bits(), kRelaxed | kPerCpu) << "once is not enough: the counters may drift";
  EXPECT_FALSE(mode->may_promote()) << "the next round has begun";
  agree();
  mode->promote(milliseconds(2), *store, record);
  EXPECT_EQ(mode->bits(), kRelaxed | kPerCpu) << "a millisecond is too short";
  agree();
  EXPECT_EQ(closed(own), Closed::no);
  mode->promote(milliseconds(1) + policy::kWitnessSpan, *store, record);
  EXPECT_EQ(mode->bits(), kRelaxed);
  EXPECT_EQ(closed(own), Closed::over);
  EXPECT_EQ(record.last_change.load(), ModeChange::promoted);
  EXPECT_GE(record.change_ticks.load(), 6 * policy::kHandoffs);
}

// Whatever its counter shows: it was not compared, so its readings are of nothing that others
// share.
TEST_F(ModeTest, ACpuThatWasNotComparedDemotesAndIsNoEvidence) {
  std::vector<std::int64_t> offsets(kMaxCpus, kNoOffset);
  offsets[0] = 0;
  mode->start({.tolerance = microseconds(10),
               .clocks = all_servable(),
               .cpus = 2,
               .offsets = offsets.data(),
               .can_tell_cpus = true,
               .may_promote = true});
  EXPECT_EQ(mode->bits(), kAligned);
  read_on(0, 1'000'000);
  EXPECT_EQ(mode->bits() & kPerCpu, 0);
  read_on(1, 1'000'100);
  EXPECT_EQ(mode->bits(), kAligned | kPerCpu | kSettling);
  EXPECT_EQ(record.last_change.load(), ModeChange::new_cpu);
  EXPECT_EQ(record.change_ticks.load(), 1U) << "which CPU it was";
  mode->settle(*store, floors);
  agree();
  EXPECT_FALSE(mode->may_promote()) << "it would be served from the others' timeline";
  read_on(kMaxCpus, 1'000'000);
  EXPECT_EQ(record.disturbances.load(), 0U) << "a CPU without a number is none either";
}

TEST_F(ModeTest, AWarpDropsTheEvidenceOfAgreement) {
  start(true);
  agree();
  ASSERT_TRUE(mode->may_promote());
  read_on(0, source.ticks + 1000);
  read_on(1, source.ticks - 10);
  EXPECT_FALSE(mode->may_promote());
}

}  // namespace
}  // namespace clockshim
