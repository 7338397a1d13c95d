// Why: somebody sets the clock of a machine in production, and every daemon on it must follow: at
// once where it did so itself, within 100 us where another did. Steps of a millisecond, forth and
// back, so that this machine's time stays.
#include <gtest/gtest.h>

#include "run_host.h"

namespace clockshim::test {
namespace {

class Steps : public testing::TestWithParam<std::tuple<const char*, const char*>> {};

TEST_P(Steps, AreFollowedAndDoNotTouchOtherClocks) {
  const auto [how, counters] = GetParam();
  const HostRun run = run_host("steps", {.arguments = {how, "1000000", "10000", "20"},
                                         .environment = {{"CLOCKSHIM_COUNTERS", counters}},
                                         .report = true});
  ASSERT_EQ(run.ending(), "exit 0") << run.out << run.err;
  if (!numbers_by_process(run, "forbidden").empty()) GTEST_SKIP() << "only root may set the clock";
  ASSERT_EQ(run.reports.size(), 1U) << run.err;
  const long pid = run.reports.begin()->first;
  EXPECT_EQ(numbers_by_process(run, "late").at(pid), 0)
      << "the worst after " << numbers_by_process(run, "worst").at(pid) << " ns";
  EXPECT_EQ(numbers_by_process(run, "monotonic_wrong").at(pid), 0);
  if (std::string(how) == "unseen") {
    EXPECT_GE(run.reports.at(pid).at("disturbances").get<long>(), 30);
  }
}

INSTANTIATE_TEST_SUITE_P(Of, Steps,
                         testing::Combine(testing::Values("unseen", "here"),
                                          testing::Values("agree", "disagree")));

}  // namespace
}  // namespace clockshim::test
