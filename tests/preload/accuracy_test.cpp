// Why: a served time is only as good as its distance from the kernel's. Each one is held between
// two readings of the kernel's own clock, which no delay of this machine can falsify.
#include <gtest/gtest.h>

#include <ctime>

#include "run_host.h"

namespace clockshim::test {
namespace {

constexpr long kTolerance = 10'000;  // CLOCKSHIM_TOLERANCE's default

HostRun measured(std::vector<std::string> arguments) {
  return run_host("accuracy", {.arguments = std::move(arguments), .report = true});
}

long only(const HostRun& run, const std::string& word) {
  return numbers_by_process(run, word).at(run.reports.begin()->first);
}

class ServedTime : public testing::TestWithParam<int> {};

TEST_P(ServedTime, StaysWithinTheToleranceOfTheKernels) {
  const HostRun run =
      measured({"bracket", std::to_string(GetParam()), std::to_string(kTolerance), "200000"});
  ASSERT_EQ(run.ending(), "exit 0") << run.out << run.err;
  ASSERT_EQ(run.reports.size(), 1U) << run.err;
  EXPECT_EQ(only(run, "outside"), 0)
      << "of 200000; the worst by " << only(run, "worst") << " ns beyond the tolerance";
}

INSTANTIATE_TEST_SUITE_P(OfEachClock, ServedTime,
                         testing::Values(CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW,
                                         CLOCK_BOOTTIME, CLOCK_TAI));

}  // namespace
}  // namespace clockshim::test
