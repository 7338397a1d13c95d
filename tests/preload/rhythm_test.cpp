// Why: a program has a rhythm, and so did samples of exactly each N-th call: of five callers of a
// fifth each, three showed a third each. Samples are drawn at random, so each caller's share is
// what it is, and they only split counts that are exact.
#include <gtest/gtest.h>

#include <set>

#include "../support/even_shares.h"
#include "run_host.h"

namespace clockshim::test {
namespace {

HostRun rotation(const std::vector<std::string>& arguments, unsigned every) {
  HostRun run = run_host("rotation",
                         {.arguments = arguments,
                          .environment = {{"CLOCKSHIM_PROFILE", "stacks:" + std::to_string(every)}},
                          .report = true});
  EXPECT_EQ(run.ending(), "exit 0") << run.out << run.err;
  return run;
}

// The calls that the report's stacks give to each caller. They add up to the exact count.
std::map<std::string, long> shares_of(const Json& report) {
  std::map<std::string, long> shares;
  long sum = 0;
  for (const Json& stack : report.at("stacks")) {
    EXPECT_EQ(stack.at("exact_frames"), 1) << stack.dump(1);
    EXPECT_EQ(stack.at("frames").at(0).at("symbol"), "asks") << stack.dump(1);
    shares[stack.at("frames").at(1).at("symbol").get<std::string>()] +=
        stack.at("calls").get<long>();
    sum += stack.at("calls").get<long>();
  }
  EXPECT_EQ(sum, calls_from(report, "asks"));
  return shares;
}

struct Rhythm {
  unsigned callers;
  unsigned every;
};
class Rhythms : public testing::TestWithParam<Rhythm> {};

TEST_P(Rhythms, ShareIsEachCallersOwn) {
  const auto [callers, every] = GetParam();
  const long turns = (1000L + 10 * callers) * every / callers;
  const long calls = turns * callers;
  const HostRun run = rotation({std::to_string(callers), std::to_string(calls)}, every);
  expect_exact_counts(run, 1);
  ASSERT_EQ(run.reports.size(), 1U);
  const Json& report = run.reports.begin()->second;
  std::vector<double> samples(callers);
  std::size_t caller = 0;
  for (const auto& [name, share] : shares_of(report)) {
    ASSERT_LT(caller, callers) << name;
    samples[caller++] = static_cast<double>(share) / every;
    if (every == 1) {
      EXPECT_EQ(share, turns) << name;
    }
  }
  EXPECT_LT(chi_square(samples), chi_square_bound(callers));
}

INSTANTIATE_TEST_SUITE_P(FromTwoToAThousand, Rhythms,
                         testing::Values(Rhythm{2, 2}, Rhythm{2, 1000}, Rhythm{3, 6}, Rhythm{5, 1},
                                         Rhythm{5, 5}, Rhythm{5, 1000}, Rhythm{10, 7},
                                         Rhythm{16, 48}, Rhythm{64, 64}, Rhythm{100, 1000},
                                         Rhythm{250, 1000}, Rhythm{500, 500}, Rhythm{500, 1000}),
                         [](const auto& rhythm) {
                           return std::to_string(rhythm.param.callers) + "By" +
                                  std::to_string(rhythm.param.every);
                         });

// A forked child has its parent's memory, but not its random numbers.
TEST(Rhythm, OfSamplesDiffersBetweenForkedChildren) {
  constexpr std::size_t kChildren = 6;
  const HostRun run = rotation({"500", "500", std::to_string(kChildren)}, 20);
  expect_exact_counts(run, 1 + kChildren);
  std::set<std::set<std::string>> sampled;
  for (const auto& [pid, report] : run.reports) {
    std::set<std::string> callers;
    for (const auto& [name, share] : shares_of(report)) callers.insert(name);
    EXPECT_GT(callers.size(), 2U) << pid;
    sampled.insert(callers);
  }
  EXPECT_EQ(sampled.size(), 1 + kChildren);
}

}  // namespace
}  // namespace clockshim::test
