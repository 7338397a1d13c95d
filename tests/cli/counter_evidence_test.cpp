// What a comparison of the CPUs' counters finds, with counters that a test makes up, and with
// offsets that it plants on real ones.
#include "cli/machine/counter_evidence.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <optional>
#include <set>

#include "cli/machine/cpu_set.h"
#include "two_cpus.h"

namespace clockshim::cli {
namespace {

constexpr Nanos kTolerance = microseconds(10);

// A counter for each CPU, made of one sequence of numbers. It advances by kHandoff with each
// reading, as if each handoff took so long.
constexpr std::uint64_t kHandoff = 300;
std::atomic<std::uint64_t> g_readings{0};
std::atomic<std::uint64_t> g_ahead{0};  // of odd CPUs, in ticks
Ticks made_up(int cpu) {
  return Ticks{g_readings.fetch_add(1) * kHandoff + (cpu % 2 == 0 ? 0 : g_ahead.load())};
}

CounterEvidence found(std::uint64_t ahead) {
  g_ahead = ahead;
  return compare_counters({0, 1}, kTolerance, made_up);
}

TEST(CounterEvidence, AgreementIsMeasured) {
  if (!test::two_cpus()) GTEST_SKIP() << "no two CPUs to run on";
  const CounterEvidence evidence = found(0);
  if (evidence.found == CountersFound::unknown) GTEST_SKIP() << evidence.text;
  EXPECT_EQ(evidence.found, CountersFound::agree) << evidence.text;
  EXPECT_EQ(evidence.within, kHandoff);
  EXPECT_EQ(evidence.margin, static_cast<std::int64_t>(kHandoff));
  EXPECT_EQ(evidence.text, "2 CPUs' counters agree within 300 ticks");
}

TEST(CounterEvidence, ConstantsAreFound) {
  if (!test::two_cpus()) GTEST_SKIP() << "no two CPUs to run on";
  const CounterEvidence evidence = found(100'000);
  if (evidence.found == CountersFound::unknown) GTEST_SKIP() << evidence.text;
  EXPECT_EQ(evidence.found, CountersFound::constant) << evidence.text;
  EXPECT_EQ(evidence.offsets, (std::vector<std::int64_t>{0, 100'000}));
  EXPECT_EQ(evidence.within, kHandoff);
  EXPECT_EQ(evidence.margin, static_cast<std::int64_t>(kHandoff));
  EXPECT_EQ(evidence.text,
            "2 CPUs' counters differ by constants, up to 100000 ticks; margin 300 ticks");
}

// Nothing is seen to go back, but a handoff that is faster than those could show it.
TEST(CounterEvidence, UnevenHandoffsAreADifference) {
  if (!test::two_cpus()) GTEST_SKIP() << "no two CPUs to run on";
  const CounterEvidence evidence = found(kHandoff - 20);
  if (evidence.found == CountersFound::unknown) GTEST_SKIP() << evidence.text;
  EXPECT_EQ(evidence.found, CountersFound::constant) << evidence.text;
  EXPECT_EQ(evidence.worst_offset(), static_cast<std::int64_t>(kHandoff) - 20);
}

// Each handoff takes longer than what the counters may be apart by.
TEST(CounterEvidence, ToleranceHasTheLastWord) {
  if (!test::two_cpus()) GTEST_SKIP() << "no two CPUs to run on";
  g_ahead = 0;
  const CounterEvidence evidence = compare_counters({0, 1}, Nanos{100}, made_up);
  EXPECT_EQ(evidence.found, CountersFound::unknown) << evidence.text;
}

TEST(CounterEvidence, CpuThatIsNotThereProvesNothing) {
  const CounterEvidence evidence = compare_counters({0, CPU_SETSIZE - 1}, kTolerance, counter_of);
  EXPECT_EQ(evidence.found, CountersFound::unknown);
  EXPECT_TRUE(evidence.text.starts_with("CPU 0 and CPU 1023 are too busy to be compared, or not"))
      << evidence.text;
  EXPECT_EQ(compare_counters({0}, kTolerance, counter_of).found, CountersFound::unknown);
}

// This machine's CPUs at full speed, with what a test adds to the counters of the odd ones.
struct Planted {
  std::int64_t offset = 0;
  double ppm = 0;
  std::int64_t jump = 0;
  std::uint64_t jump_after = 0;  // ticks
};
Planted g_planted;
Ticks g_start;
Ticks with_planted(int cpu) {
  const Ticks now = counter_of(cpu);
  if (cpu % 2 == 0) return now;
  const auto elapsed = static_cast<double>((now - g_start).raw());
  auto ahead = g_planted.offset + static_cast<std::int64_t>(elapsed * g_planted.ppm * 1e-6);
  if (elapsed > static_cast<double>(g_planted.jump_after)) ahead += g_planted.jump;
  return now + TickDelta{static_cast<std::uint64_t>(ahead)};
}

// None: the machine is too busy, or its own counters disagree.
std::optional<CounterEvidence> found_with(const Planted& planted, Comparison how = {}) {
  if (!test::two_cpus()) return std::nullopt;
  for (int tries = 0; tries < 5; ++tries) {
    g_planted = planted;
    g_start = counter_of(0);
    const CounterEvidence evidence = compare_counters({0, 1}, kTolerance, with_planted, how);
    if (evidence.found != CountersFound::unknown) return evidence;
  }
  return std::nullopt;
}

TEST(PlantedOnRealCpus, ConstantsAreFoundToWithinAHandoff) {
  const auto own = found_with({});
  if (!own || own->found != CountersFound::agree) GTEST_SKIP() << "too busy, or they do not agree";
  for (const std::int64_t offset : {700, 5000, -5000, 10'000'000, 1 << 30}) {
    const auto evidence = found_with({.offset = offset});
    if (!evidence) GTEST_SKIP() << "too busy";
    EXPECT_EQ(evidence->found, CountersFound::constant) << evidence->text;
    const std::int64_t error = evidence->offsets[1] - evidence->offsets[0] - offset;
    // Both sides of what is open have room for the truth, and for what the real ones differ by.
    EXPECT_LT(std::abs(error), evidence->margin + static_cast<std::int64_t>(own->within));
    EXPECT_GT(evidence->margin, 0);
    EXPECT_NEAR(static_cast<double>(evidence->margin), static_cast<double>(evidence->within), 1)
        << "the middle";
  }
}

TEST(PlantedOnRealCpus, DriftsAreMeasured) {
  for (const double ppm : {3.0, -10.0, 100.0, 1000.0, -1000.0}) {
    const auto evidence = found_with({.offset = 100, .ppm = ppm});
    if (!evidence) GTEST_SKIP() << "too busy";
    EXPECT_EQ(evidence->found, CountersFound::drifts) << ppm << ": " << evidence->text;
    EXPECT_NEAR(evidence->drift_ppm, ppm, std::abs(ppm) / 100 + 1) << evidence->text;
  }
}

// What moves by less than a handoff between passes can't be seen; what moves by more is.
TEST(PlantedOnRealCpus, SmallDriftsNeedALongerPause) {
  const auto slow = found_with({.offset = 5000, .ppm = 0.01});
  if (!slow) GTEST_SKIP() << "too busy";
  EXPECT_EQ(slow->found, CountersFound::constant) << "1 ns in 100 ms: " << slow->text;
  const auto seen = found_with({.offset = 5000, .ppm = 0.5}, {.pause = milliseconds(800)});
  if (!seen) GTEST_SKIP() << "too busy";
  EXPECT_EQ(seen->found, CountersFound::drifts) << seen->text;
  EXPECT_NEAR(seen->drift_ppm, 0.5, 0.3);
}

TEST(PlantedOnRealCpus, JumpsAreNoDrift) {
  // In the pause before the third pass, or the second.
  for (const std::int64_t jump : {20'000, -1'000'000, 1 << 30}) {
    const auto evidence = found_with({.offset = 5000, .jump = jump, .jump_after = 200'000'000});
    if (!evidence) GTEST_SKIP() << "too busy";
    if (evidence->found == CountersFound::constant) continue;  // it came too late
    EXPECT_EQ(evidence->found, CountersFound::jumps) << evidence->text;
  }
}

// A machine that a test makes up. Time passes as it wishes.
class MadeUpMachine : public PairComparer {
 public:
  void compare(std::vector<Round>& rounds, const PassTest& how) override {
    for (Round& round : rounds) {
      for (WarpPair& pair : round) {
        if (busy && *busy != pair.first && *busy != pair.second) meet(pair);
        if (!busy) meet(pair);
      }
      now = now + how.length;
    }
    ++passes;
  }
  void pause(Nanos length) override { now = now + length; }

  virtual std::int64_t ahead(int cpu) { return cpu * 1000; }
  void meet(WarpPair& pair) {
    const std::int64_t difference = ahead(pair.second) - ahead(pair.first);
    pair.proved = true;
    pair.handoffs = 1000;
    pair.to_first = handoff - difference;
    pair.to_second = handoff + difference;
    const std::int64_t least = std::min(pair.to_first, pair.to_second);
    pair.backward = least < 0 ? 10 : 0;
    pair.greatest = least < 0 ? static_cast<std::uint64_t>(-least) : 0;
    pair.within = static_cast<std::uint64_t>(std::max(pair.to_first, pair.to_second));
    pair.glimpses.push_back(
        {Ticks{static_cast<std::uint64_t>(now.raw())}, pair.to_first, pair.to_second});
  }

  std::int64_t handoff = 100;
  Nanos now = milliseconds(1);
  int passes = 0;
  std::optional<int> busy;
};

CounterEvidence found_by(MadeUpMachine& machine, int cpus) {
  std::vector<int> numbers;
  for (int i = 0; i < cpus; ++i) numbers.push_back(i);
  return compare_counters(numbers, {.enough = TickDelta{5000}}, machine);
}

TEST(CounterEvidence, BusyCpuIsNamed) {
  MadeUpMachine machine;
  machine.busy = 2;
  const CounterEvidence evidence = found_by(machine, 4);
  EXPECT_EQ(evidence.found, CountersFound::unknown);
  EXPECT_TRUE(evidence.text.starts_with("CPU 2 is too busy to be compared")) << evidence.text;
  EXPECT_EQ(machine.passes, 1) << "no need to wait for more";
}

TEST(CounterEvidence, OneOfManyPairsMayBeMissing) {
  struct : MadeUpMachine {
    void compare(std::vector<Round>& rounds, const PassTest& how) override {
      MadeUpMachine::compare(rounds, how);
      WarpPair empty;
      empty.first = rounds[3][2].first;
      empty.second = rounds[3][2].second;
      rounds[3][2] = empty;
    }
  } machine;
  const CounterEvidence evidence = found_by(machine, 12);
  EXPECT_EQ(evidence.found, CountersFound::constant) << evidence.text;
  EXPECT_EQ(evidence.worst_offset(), 11'000);
  EXPECT_EQ(evidence.bounds.size(), 65U);
  EXPECT_EQ(evidence.within, 200U) << "the missing pair, by way of a third";
  EXPECT_EQ(found_by(machine, 7).found, CountersFound::unknown) << "of so few all are needed";
}

// A busy CPU answers late in one direction, in one pass: the other pass settles it.
TEST(CounterEvidence, LateAnswersInOnePassAreNoDifference) {
  struct : MadeUpMachine {
    std::int64_t ahead(int) override { return 0; }
    void compare(std::vector<Round>& rounds, const PassTest& how) override {
      MadeUpMachine::compare(rounds, how);
      if (passes == 1) rounds[0][0].to_second += 1000;
    }
  } machine;
  const CounterEvidence evidence = found_by(machine, 2);
  EXPECT_EQ(evidence.found, CountersFound::agree) << evidence.text;
  EXPECT_EQ(evidence.within, 100U);
}

// One CPU of many that drifts spoils it for all, and is named.
TEST(CounterEvidence, DriftOfOneCpuIsNamed) {
  struct : MadeUpMachine {
    std::int64_t ahead(int cpu) override { return cpu == 5 ? -now.raw() / 10'000 : cpu * 1000; }
  } machine;
  const CounterEvidence evidence = found_by(machine, 8);
  EXPECT_EQ(evidence.found, CountersFound::drifts) << evidence.text;
  EXPECT_NEAR(std::abs(evidence.drift_ppm), 100, 1);
  EXPECT_TRUE(evidence.text.ends_with("'s counter gains 100 ppm on CPU 5's")) << evidence.text;
  EXPECT_EQ(machine.passes, 3);
}

// Three CPUs, of which each pair leaves room for a handoff on both sides, but all three together
// for less: somebody has moved between their meetings.
struct Crooked : MadeUpMachine {
  void compare(std::vector<Round>& rounds, const PassTest& how) override {
    MadeUpMachine::compare(rounds, how);
    for (Round& round : rounds) {
      for (WarpPair& pair : round) {
        const std::int64_t moved = pair.second - pair.first == 1 ? crooked : -crooked;
        pair.to_first -= moved;
        pair.to_second += moved;
        pair.backward = std::min(pair.to_first, pair.to_second) < 0 ? 1 : 0;
        pair.greatest = pair.backward;
      }
    }
  }
  std::int64_t crooked = 0;
};

TEST(CounterEvidence, ConstantsHaveToLeaveHalfAHandoff) {
  Crooked machine;
  machine.handoff = 1000;
  machine.crooked = 450;
  const CounterEvidence enough = found_by(machine, 3);
  EXPECT_EQ(enough.found, CountersFound::constant) << enough.text;
  EXPECT_EQ(enough.margin, 550);
  machine.crooked = 600;
  const CounterEvidence hardly = found_by(machine, 3);
  EXPECT_EQ(hardly.found, CountersFound::unknown) << hardly.text;
  EXPECT_NE(hardly.text.find("but hardly"), std::string::npos) << hardly.text;
  machine.crooked = 1200;
  const CounterEvidence none = found_by(machine, 3);
  EXPECT_EQ(none.found, CountersFound::jumps) << none.text;
}

TEST(PlanRounds, EachCpuMeetsEachOtherOnce) {
  for (int cpus = 2; cpus <= 40; ++cpus) {
    std::vector<int> numbers;
    for (int i = 0; i < cpus; ++i) numbers.push_back(3 * i);
    const std::vector<Round> rounds = plan_rounds(numbers, 1000);
    EXPECT_EQ(rounds.size(), static_cast<std::size_t>(cpus % 2 == 0 ? cpus - 1 : cpus));
    std::set<std::pair<int, int>> met;
    for (const Round& round : rounds) {
      std::set<int> busy;
      for (const WarpPair& pair : round) {
        EXPECT_LT(pair.first, pair.second);
        EXPECT_TRUE(met.emplace(pair.first, pair.second).second) << "not twice";
        EXPECT_TRUE(busy.insert(pair.first).second) << "one pair at a time";
        EXPECT_TRUE(busy.insert(pair.second).second) << "one pair at a time";
      }
    }
    EXPECT_EQ(met.size(), static_cast<std::size_t>(cpus * (cpus - 1) / 2));
  }
  EXPECT_TRUE(plan_rounds({0}, 10).empty());
}

TEST(PlanRounds, TwoRoundsConnectAllCpus) {
  for (int cpus = 3; cpus <= 30; ++cpus) {
    std::vector<int> numbers;
    for (int i = 0; i < cpus; ++i) numbers.push_back(i);
    std::vector<PairBounds> pairs;
    for (const Round& round : plan_rounds(numbers, 2)) {
      for (const WarpPair& pair : round)
        pairs.push_back(
            {static_cast<std::size_t>(pair.first), static_cast<std::size_t>(pair.second), 1, 1});
    }
    const auto compared = choose_offsets(numbers.size(), pairs).compared;
    EXPECT_EQ(std::count(compared.begin(), compared.end(), true), cpus);
  }
}

}  // namespace
}  // namespace clockshim::cli
