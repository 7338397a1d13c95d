// Why: what serving saves is told from what calls cost in the process itself. It has to be measured
// in each that lives long enough, at no price that shows, and a child of a moment has no time for
// it.
#include <gtest/gtest.h>

#include <cstdlib>

#include "run_host.h"

namespace clockshim::test {
namespace {

HostRun run_costs(std::vector<std::string> arguments) {
  const char* counters = std::getenv("TEST_COUNTERS");
  const HostRun run =
      run_host("costs", {.arguments = std::move(arguments),
                         .environment = {{"CLOCKSHIM_COUNTERS", counters ? counters : "auto"}},
                         .report = true});
  EXPECT_EQ(run.ending(), "exit 0") << run.out << run.err;
  return run;
}

void expect_costs(const Json& report) {
  const Json& clock = report.at("clocks").at("monotonic");
  ASSERT_TRUE(clock.at("real_call_ns").is_number()) << clock;
  ASSERT_TRUE(clock.at("served_call_ns").is_number()) << clock;
  // From a vDSO in a fast CPU to a device in a machine that is emulated and busy.
  EXPECT_GT(clock.at("real_call_ns"), 1) << clock;
  EXPECT_LT(clock.at("real_call_ns"), 1e6) << clock;
  EXPECT_GE(clock.at("served_call_ns"), 0.001) << clock;
  EXPECT_LT(clock.at("served_call_ns"), 1e6) << clock;
}

bool passes_through(const HostRun& run) {
  return !run.reports.empty() && run.reports.begin()->second.at("mode") == "passthrough";
}

TEST(Costs, AreMeasuredInTheProcessAndInheritedByItsChild) {
  const HostRun run = run_costs({});
  if (passes_through(run)) GTEST_SKIP() << "nothing is served here";
  ASSERT_EQ(run.reports.size(), 2U) << run.out << run.err;
  const long child = numbers_by_process(run, "child").begin()->second;
  for (const auto& [pid, report] : run.reports) {
    expect_costs(report);
    const std::string how = report.at("cpu_saved_how");
    EXPECT_TRUE(how.starts_with("timed in this process: real call ") ||
                how.starts_with("nothing, the clock is cheap here (real call ") ||
                (pid == child && how.starts_with("nothing, ")))
        << how;
    EXPECT_EQ(report.at("cpu_saved_ns") > 0, how.starts_with("timed")) << how;
  }
}

TEST(Costs, AProcessOfAMomentSaysThatItWasTooShort) {
  const HostRun run = run_costs({"short"});
  if (passes_through(run)) GTEST_SKIP() << "nothing is served here";
  ASSERT_EQ(run.reports.size(), 1U) << run.out << run.err;
  const Json& report = run.reports.begin()->second;
  EXPECT_EQ(report.at("cpu_saved_how"), "nothing, it ended before the clock's rate was measured");
  EXPECT_EQ(report.at("cpu_saved_ns"), 0);
}

}  // namespace
}  // namespace clockshim::test
