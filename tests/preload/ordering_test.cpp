// Why: a time that runs backwards between two threads breaks queues and timeouts in ways that nobody finds. Threads that hand
// their readings to each other may never read less than what they were handed.
#include <gtest/gtest.h>
#include <sched.h>

#include <ctime>

#include "run_host.h"

namespace clockshim::test {
namespace {

int usable_cpus() {
  cpu_set_t set;
  return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

class Ordering : public testing::TestWithParam<std::tuple<int, int>> {};

TEST_P(Ordering, NothingRunsBackwardsBetweenThreads) {
  if (usable_cpus() < 2) GTEST_SKIP() << "one CPU: threads that take turns prove nothing";
  const auto [threads, clock] = GetParam();
  const HostRun run = run_host("ordering", {.arguments = {std::to_string(threads), std::to_string(clock), "1000000"}, .report = true});
  ASSERT_EQ(run.ending(), "exit 0") << run.out << run.err;
  ASSERT_EQ(run.reports.size(), 1U) << run.err;
  const long pid = run.reports.begin()->first;
  EXPECT_GE(numbers_by_process(run, "handoffs").at(pid), 1'000) << "the threads hardly met: nothing was tested";
  EXPECT_EQ(numbers_by_process(run, "backward").at(pid), 0) << "the worst by " << numbers_by_process(run, "worst").at(pid) << " ns";
}

INSTANTIATE_TEST_SUITE_P(Strict, Ordering, testing::Combine(testing::Values(2, 4), testing::Values(CLOCK_REALTIME, CLOCK_MONOTONIC)));

}  // namespace
}  // namespace clockshim::test
