// Why: whoever preloads something into a daemon wants the daemon that they know. Descriptors,
// threads, environment, signal handlers and masks, timers, limits: as without the shim, at the
// start of main and after thousands of calls.
#include <gtest/gtest.h>

#include "run_host.h"

namespace clockshim::test {
namespace {

TEST(GoodGuest, LeavesTheProcessAsItIs) {
  const HostRun bare = run_host("guest", {.shim = false, .report = true});
  const HostRun run = run_host("guest", {.report = true});
  ASSERT_EQ(bare.ending(), "exit 0") << bare.out;
  ASSERT_EQ(run.ending(), "exit 0") << run.err;
  ASSERT_EQ(run.reports.size(), 1U) << "the shim was not at work";
  const auto expected = lines_of(bare.out);
  const auto found = lines_of(run.out);
  ASSERT_GT(expected.size(), 100U);
  for (std::size_t i = 0; i < std::max(found.size(), expected.size()); ++i) {
    ASSERT_EQ(i < found.size() ? found[i] : "",
              i < expected.size() ? expected[i] : "");  // the first line that differs
  }
}

TEST(GoodGuest, SaysNothingWhereNothingIsWrongAndNoReportIsWanted) {
  const HostRun run = run_host("guest", {.environment = {{"CLOCKSHIM_REPORT", "none"}}});
  EXPECT_EQ(run.ending(), "exit 0");
  EXPECT_EQ(run.err, "");
}

}  // namespace
}  // namespace clockshim::test
