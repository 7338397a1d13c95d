// Whether the gaps between samples agree with no rhythm of the program: callers that take turns are
// sampled equally often, whatever their number. That the check can tell is shown with gaps that do
// agree.
#include "callsite/sample_gaps.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <random>
#include <set>
#include <thread>

#include "../support/even_shares.h"
#include "callsite/full_stacks.h"

namespace clockshim {
namespace {

using test::chi_square;
using test::chi_square_bound;
using Gap = std::function<std::uint64_t()>;

constexpr unsigned kRhythms[] = {2, 3, 4, 5, 7, 10, 16, 50, 64, 100, 127, 250, 500, 512, 999, 1000};

SampleGaps gaps_of(std::uint32_t every) {
  SampleGaps gaps;
  gaps.set_mean(every);
  return gaps;
}

// The statistic of `callers` that take turns.
double of_turns(unsigned callers, const Gap& gap) {
  std::vector<double> samples(callers);
  std::uint64_t call = 0;
  for (unsigned i = 0; i < 1000 + 20 * callers; ++i) ++samples[(call += gap()) % callers];
  return chi_square(samples);
}

std::uint64_t seed() { return std::random_device{}() | std::uint64_t{1} << 40; }

TEST(SampleGaps, AgreeWithNoRhythm) {
  for (const unsigned every : {2U, 3U, 5U, 10U, 64U, 100U, 500U, 1000U, 2000U}) {
    const SampleGaps gaps = gaps_of(every);
    for (const unsigned callers : kRhythms) {
      std::uint64_t random = seed();
      EXPECT_LT(of_turns(callers, [&] { return gaps.next(random); }), chi_square_bound(callers))
          << callers << " callers, one call in " << every;
    }
  }
}

TEST(SampleGaps, ThatAgreeWithARhythmAreFound) {
  std::mt19937_64 random(1);
  for (const unsigned callers : kRhythms) {
    const double bound = chi_square_bound(callers);
    EXPECT_GT(of_turns(callers, [&] { return callers; }), bound) << "fixed, " << callers;
    EXPECT_GT(of_turns(callers, [&] { return 3 * callers; }), bound) << "fixed, " << callers;
    EXPECT_GT(of_turns(callers, [&] { return callers * (1 + random() % 1000); }), bound)
        << "multiples, " << callers;
    if (callers < 50) continue;
    EXPECT_GT(of_turns(callers, [&] { return callers - 1 + random() % 3; }), bound)
        << "nearly fixed, " << callers;
  }
}

TEST(SampleGaps, AreGeometric) {
  for (const std::uint32_t every : {2U, 3U, 10U, 1000U, 1'000'000U, UINT32_MAX}) {
    const SampleGaps gaps = gaps_of(every);
    constexpr int kDraws = 100'000;
    std::uint64_t random = seed();
    double sum = 0;
    unsigned low = 0;
    const double mean = every;
    for (int i = 0; i < kDraws; ++i) {
      const std::uint64_t gap = gaps.next(random);
      ASSERT_GE(gap, 1U);
      sum += static_cast<double>(gap);
      low += gap <= (every + 1ULL) / 2 ? 1 : 0;
    }
    EXPECT_NEAR(sum / kDraws, mean, 6 * mean / std::sqrt(kDraws)) << every;
    const double half = 1 - std::pow(1 - 1 / mean, static_cast<double>((every + 1ULL) / 2));
    EXPECT_NEAR(low / double{kDraws}, half, 6 * 0.5 / std::sqrt(kDraws)) << every;
  }
}

TEST(SampleGaps, OfOneTakeEachCall) {
  std::uint64_t random = seed();
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(gaps_of(1).next(random), 1U);
}

// Which of the next calls of this thread are sampled.
std::vector<int> sampled_calls() {
  std::vector<int> out;
  for (int call = 0; call < 2000; ++call) {
    if (g_stacks.due()) out.push_back(call);
  }
  return out;
}

TEST(SampleGaps, DifferBetweenThreadsAndForkedChildren) {
  g_stacks.sample_every(50);
  std::set<std::vector<int>> all;
  constexpr std::size_t kThreads = 20;
  for (std::size_t i = 0; i < kThreads; ++i)
    std::thread([&] { all.insert(sampled_calls()); }).join();
  EXPECT_EQ(all.size(), kThreads);
  // Each child begins with what its parent had.
  for (std::size_t i = 0; i < kThreads; ++i) {
    FullStacks::begin_in_child();
    all.insert(sampled_calls());
  }
  EXPECT_EQ(all.size(), 2 * kThreads);
  g_stacks.sample_every(0);
  EXPECT_TRUE(sampled_calls().empty());
}

}  // namespace
}  // namespace clockshim
