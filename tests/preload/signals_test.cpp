// Why: clock_gettime is async-signal-safe, so handlers call it, also on top of a call that is half
// done, and at its first sight. Nothing may be lost, counted twice, or run backwards.
#include <gtest/gtest.h>

#include "run_host.h"

namespace clockshim::test {
namespace {

TEST(Signals, StormKeepsOrderAndCounts) {
  const HostRun run = run_host("signal_storm", {.report = true});
  ASSERT_EQ(run.ending(), "exit 0") << run.out << run.err;
  expect_exact_counts(run, 1);
  ASSERT_EQ(run.reports.size(), 1U);
  EXPECT_EQ(numbers_by_process(run, "backward").at(run.reports.begin()->first), 0);
}

}  // namespace
}  // namespace clockshim::test
