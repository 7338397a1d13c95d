// The choice of offsets from bounds of pairs: by tables, and by random counters whose offsets the
// test knows.
#include "cli/machine/counter_offsets.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <random>

namespace clockshim::cli {
namespace {

using Offsets = std::vector<std::int64_t>;

struct Row {
  const char* what;
  std::size_t cpus;
  std::vector<PairBounds> pairs;
  std::int64_t margin;
  Offsets offsets;
};

TEST(ChooseOffsets, Table) {
  const std::int64_t days = INT64_C(1) << 55;
  const Row rows[] = {
      {"agree", 2, {{0, 1, 100, 100}}, 100, {0, 0}},
      {"the middle", 2, {{0, 1, 100, 300}}, 200, {0, 100}},
      {"the other is behind", 2, {{0, 1, 5100, -4900}}, 100, {5000, 0}},
      {"given the other way around", 2, {{1, 0, -4900, 5100}}, 100, {5000, 0}},
      {"as far as one reset after a year", 2, {{0, 1, 80 - days, days + 80}}, 80, {0, days}},
      // 0-1 and 1-2 alone would allow 100; the cycle 0, 1, 2 has (100 + 100 - 50) / 3.
      {"a tight triangle",
       3,
       {{0, 1, 100, 100}, {1, 2, 100, 100}, {0, 2, -50, 400}},
       50,
       {0, 50, 100}},
      // The tight pair must not push the loose one to its edge.
      {"a loose one is in its middle",
       3,
       {{0, 1, 10, 10}, {0, 2, 1000, 1000}, {1, 2, 1000, 1000}},
       10,
       {0, 0, 0}},
      {"two groups, one moved as a whole",
       4,
       {{0, 1, 10, 10}, {2, 3, 10, 10}, {0, 2, 100, 500}, {1, 3, 120, 500}, {0, 3, 130, 520}},
       10,
       {0, 0, 200, 200}},
      {"not compared", 3, {{0, 1, 50, 70}}, 60, {0, 10, 0}},
      {"contradictory pair", 2, {{0, 1, -100, 60}}, -20, {0, 80}},
      {"contradictory triangle", 3, {{0, 1, 10, 10}, {1, 2, 10, 10}, {0, 2, -400, 420}}, -126, {}},
  };
  for (const Row& row : rows) {
    const CounterOffsets found = choose_offsets(row.cpus, row.pairs);
    EXPECT_NEAR(static_cast<double>(found.margin), static_cast<double>(row.margin), 1) << row.what;
    if (!row.offsets.empty()) {
      EXPECT_EQ(found.offsets, row.offsets) << row.what;
    }
    EXPECT_EQ(*std::min_element(found.offsets.begin(), found.offsets.end()), 0) << row.what;
  }
}

TEST(ChooseOffsets, CpusThatNoPairConnectsAreNotCompared) {
  const CounterOffsets found = choose_offsets(5, {{0, 1, 10, 10}, {3, 4, -500, 700}});
  EXPECT_EQ(found.compared, (std::vector<bool>{true, true, false, false, false}));
  EXPECT_EQ(found.offsets, Offsets(5, 0));
  EXPECT_EQ(found.margin, 10);
  const CounterOffsets nothing = choose_offsets(3, {});
  EXPECT_EQ(nothing.margin, 0);
  EXPECT_EQ(nothing.offsets, Offsets(3, 0));
}

// Counters that a test makes up.
struct Truth {
  Offsets offsets;
  std::vector<PairBounds> pairs;
  std::vector<std::int64_t> widths;
};

using Random = std::mt19937_64;
std::int64_t from_to(Random& random, std::int64_t least, std::int64_t most) {
  return std::uniform_int_distribution<std::int64_t>(least, most)(random);
}

Truth made_up(Random& random, std::size_t cpus, std::int64_t far, double missing) {
  Truth truth;
  for (std::size_t i = 0; i < cpus; ++i) truth.offsets.push_back(from_to(random, -far, far));
  for (std::size_t i = 0; i < cpus; ++i) {
    for (std::size_t j = i + 1; j < cpus; ++j) {
      if (std::uniform_real_distribution<>(0, 1)(random) < missing && j != i + 1) continue;
      const std::int64_t ahead = truth.offsets[j] - truth.offsets[i];
      const std::int64_t there = from_to(random, 77, 400);
      const std::int64_t back = from_to(random, 77, 400);
      truth.pairs.push_back({i, j, back - ahead, there + ahead});
      truth.widths.push_back(there + back);
    }
  }
  return truth;
}

// The greatest margin by another way: halving, with Bellman and Ford's test for negative cycles.
bool possible(std::size_t cpus, const std::vector<PairBounds>& pairs, std::int64_t margin) {
  std::vector<std::int64_t> least(cpus, 0);
  for (std::size_t round = 0; round <= cpus; ++round) {
    bool changed = false;
    const auto relax = [&](std::size_t from, std::size_t to, std::int64_t bound) {
      if (least[from] + bound - margin >= least[to]) return;
      least[to] = least[from] + bound - margin;
      changed = true;
    };
    for (const PairBounds& pair : pairs) {
      relax(pair.second, pair.first, pair.to_first);
      relax(pair.first, pair.second, pair.to_second);
    }
    if (!changed) return true;
  }
  return false;
}

std::int64_t greatest_margin(std::size_t cpus, const std::vector<PairBounds>& pairs) {
  std::int64_t can = -(INT64_C(1) << 40);
  std::int64_t can_not = INT64_C(1) << 40;
  while (can_not - can > 1) {
    const std::int64_t middle = can + (can_not - can) / 2;
    (possible(cpus, pairs, middle) ? can : can_not) = middle;
  }
  return can;
}

TEST(ChooseOffsets, RandomOnesAreRecovered) {
  Random random(17);
  for (int run = 0; run < 400; ++run) {
    const auto cpus = static_cast<std::size_t>(from_to(random, 2, 24));
    const Truth truth =
        made_up(random, cpus, run % 2 == 0 ? 1000 : INT64_C(1) << 35, run % 3 == 0 ? 0.3 : 0);
    const CounterOffsets found = choose_offsets(cpus, truth.pairs);
    EXPECT_EQ(found.margin, margin_of(truth.pairs, found.offsets));
    const std::int64_t best = greatest_margin(cpus, truth.pairs);
    EXPECT_LE(found.margin, best);
    EXPECT_GE(found.margin, best - 1);
    EXPECT_GE(found.margin, 76) << "the truth itself leaves 77";
    for (std::size_t i = 0; i < truth.pairs.size(); ++i) {
      const PairBounds& pair = truth.pairs[i];
      const std::int64_t error = (found.offsets[pair.second] - found.offsets[pair.first]) -
                                 (truth.offsets[pair.second] - truth.offsets[pair.first]);
      EXPECT_LE(2 * std::abs(error), truth.widths[i] + 2) << "half of the pair's width";
    }
  }
}

// For each set of CPUs, the least slack into it is the least slack out of it.
TEST(ChooseOffsets, EachGroupIsInTheMiddle) {
  Random random(18);
  for (int run = 0; run < 200; ++run) {
    constexpr std::size_t cpus = 6;
    const Truth truth = made_up(random, cpus, 5000, 0);
    const CounterOffsets found = choose_offsets(cpus, truth.pairs);
    // By giver and receiver.
    std::array<std::array<std::int64_t, cpus>, cpus> slack{};
    for (const PairBounds& pair : truth.pairs) {
      const std::int64_t ahead = found.offsets[pair.second] - found.offsets[pair.first];
      slack.at(pair.first).at(pair.second) = pair.to_second - ahead;
      slack.at(pair.second).at(pair.first) = pair.to_first + ahead;
    }
    for (unsigned set = 1; set + 1 < 1U << cpus; ++set) {
      const auto has = [&](std::size_t cpu) { return (set >> cpu & 1U) != 0; };
      std::int64_t in = INT64_MAX;
      std::int64_t out = INT64_MAX;
      for (std::size_t giver = 0; giver < cpus; ++giver) {
        for (std::size_t receiver = 0; receiver < cpus; ++receiver) {
          if (!has(giver) && has(receiver)) in = std::min(in, slack.at(giver).at(receiver));
          if (has(giver) && !has(receiver)) out = std::min(out, slack.at(giver).at(receiver));
        }
      }
      EXPECT_NEAR(static_cast<double>(in), static_cast<double>(out), 2) << "set " << set;
    }
  }
}

TEST(ChooseOffsets, NoConstantsFitCountersThatMoved) {
  Random random(19);
  for (int run = 0; run < 200; ++run) {
    const std::size_t cpus = 8;
    Truth truth = made_up(random, cpus, 100'000, 0);
    // One pair was compared after its second counter had jumped by more than three handoffs take.
    PairBounds& pair = truth.pairs[static_cast<std::size_t>(from_to(random, 0, 27))];
    pair.to_first -= 2000;
    pair.to_second += 2000;
    EXPECT_LT(choose_offsets(cpus, truth.pairs).margin, 0);
  }
}

TEST(SpreadOf, CountsCpusThatWereNotComparedByWayOfOthers) {
  EXPECT_EQ(spread_of(2, {{0, 1, 100, 300}}, {0, 100}), 200U);
  EXPECT_EQ(spread_of(3, {{0, 1, 100, 100}, {1, 2, 50, 80}}, {0, 0, 0}), 180U);
  EXPECT_EQ(spread_of(3, {{0, 1, 100, 100}, {1, 2, 50, 80}, {0, 2, 90, 90}}, {0, 0, 0}), 100U);
  EXPECT_EQ(spread_of(3, {{0, 1, 100, 100}}, {0, 0, 0}), 100U) << "2 was not compared";
}

// In CPU time, with room for a machine that others use.
TEST(ChooseOffsets, IsQuickFor256Cpus) {
  Random random(20);
  for (int shape = 0; shape < 4; ++shape) {
    const std::size_t cpus = 256;
    Truth truth = made_up(random, cpus, INT64_C(1) << 40, shape == 1 ? 0.99 : 0);
    if (shape == 2) {  // all handoffs take the same time
      for (PairBounds& pair : truth.pairs) {
        const std::int64_t ahead = truth.offsets[pair.second] - truth.offsets[pair.first];
        pair.to_first = 100 - ahead;
        pair.to_second = 100 + ahead;
      }
    }
    if (shape == 3) {  // a counter that drifts while CPU after CPU is compared
      for (PairBounds& pair : truth.pairs) {
        const auto moved = static_cast<std::int64_t>(pair.first * 40 + pair.second * 10);
        pair.to_first -= moved;
        pair.to_second += moved;
      }
    }
    const std::clock_t start = std::clock();
    const CounterOffsets found = choose_offsets(cpus, truth.pairs);
    const double took = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    std::printf("shape %d: 256 CPUs, %zu pairs: %.3f s, margin %lld\n", shape, truth.pairs.size(),
                took, static_cast<long long>(found.margin));
    EXPECT_LT(took, 0.4);
  }
}

}  // namespace
}  // namespace clockshim::cli
