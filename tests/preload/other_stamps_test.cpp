// Why: processes hand stamps to each other through shared memory, and the kernel puts its own on
// packets. No order with served times is promised there, but half a bracket is the most that it may
// be off by: nothing on tsc, 1 us where a reading of the clock costs 2 us. What is served is the
// middle of a bracket, so the kernel's stamps come out right there, too.
#include <gtest/gtest.h>

#include "run_host.h"

namespace clockshim::test {
namespace {

class OtherStamps : public testing::TestWithParam<std::tuple<const char*, const char*>> {};

long sum_of(const HostRun& run, const std::string& word) {
  long sum = 0;
  for (const auto& [process, number] : numbers_by_process(run, word)) sum += number;
  return sum;
}

TEST_P(OtherStamps, AreInOrderWithServedTimes) {
  const auto [what, cost] = GetParam();
  const bool as_it_is = std::string(cost) == "as_it_is";
  const std::vector<std::string> words{host_path("other_stamps"), what, "10000"};
  HostOptions options{
      .arguments = words, .environment = {{"CLOCKSHIM_ONLY", "other_stamps"}}, .report = true};
  std::string program = words[0];
  if (as_it_is) {
    options.arguments.erase(options.arguments.begin());
  } else {
    program = slowclock_path();
    const char* const before[] = {"--cost", cost, "--"};
    options.arguments.insert(options.arguments.begin(), std::begin(before), std::end(before));
  }
  options.shim = false;
  const HostRun bare = run_host(program, options);
  if (bare.ending() != "exit 0") GTEST_SKIP() << "no slow clock here: " << bare.err;
  if (!numbers_by_process(bare, "forbidden").empty()) GTEST_SKIP() << "one CPU, or no network";
  options.shim = true;
  const HostRun run = run_host(program, options);
  ASSERT_EQ(run.ending(), "exit 0") << run.out << run.err;
  ASSERT_EQ(run.reports.size(), std::string(what) == "processes" ? 2U : 1U) << run.err;
  long served = 0;
  for (const auto& [process, report] : run.reports) {
    if (as_it_is && report.at("clocksource") != "tsc") GTEST_SKIP() << "another slow clock";
    const Json& clock =
        report.at("clocks").at(std::string(what) == "processes" ? "monotonic" : "realtime");
    served += clock.at("served").get<long>();
  }
  EXPECT_GT(served, 9000) << "the shim was not at work";
  if (as_it_is || std::string(what) == "packets") {
    EXPECT_LE(sum_of(run, "before"), as_it_is ? 0 : 100) << "by " << sum_of(run, "worst") << " ns";
  } else {
    EXPECT_LE(sum_of(run, "worst"), 1000);
  }
}

INSTANTIATE_TEST_SUITE_P(Of, OtherStamps,
                         testing::Combine(testing::Values("processes", "packets"),
                                          testing::Values("as_it_is", "2us")),
                         [](const auto& test) {
                           return std::string(std::get<0>(test.param)) + "_" +
                                  std::get<1>(test.param);
                         });

}  // namespace
}  // namespace clockshim::test
