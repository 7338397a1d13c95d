// Why: the counters of two CPUs need not agree. A thread that the scheduler moves between two
// readings must not see time run backwards, and neither may another thread that it tells.
#include <ctime>

#include "served_run.h"

namespace clockshim::test {
namespace {

class Migration : public testing::TestWithParam<int> {};

TEST_P(Migration, NothingRunsBackwardsOnAnotherCpu) {
  if (usable_cpus() < 2) GTEST_SKIP() << "one CPU: nowhere to move to";
  const auto served = run_served("migration", {"2", std::to_string(GetParam()), "50000"});
  if (!served) return;
  expect_ordered(*served);
  EXPECT_GE(served->number("moves"), kLeastHandoffs);
}

// More threads than CPUs: the scheduler interrupts them between the counter and the segment, and
// they go on elsewhere.
TEST_P(Migration, NorWithMoreThreadsThanCpus) {
  if (usable_cpus() < 2) GTEST_SKIP() << "one CPU: nowhere to move to";
  const auto served = run_served("migration", {"5", std::to_string(GetParam()), "50000"});
  if (!served) return;
  expect_ordered(*served);
  EXPECT_GE(served->number("moves"), kLeastHandoffs);
}

INSTANTIATE_TEST_SUITE_P(OfEachClock, Migration, testing::Values(CLOCK_REALTIME, CLOCK_MONOTONIC));

}  // namespace
}  // namespace clockshim::test
