// Go programs, with the image: their runtime calls the vDSO itself, from several stacks.
#include <gtest/gtest.h>

#include <array>
#include <map>
#include <string>
#include <vector>

#include "alone.h"

namespace clockshim::test {
namespace {

class AloneInGo : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!is_there(GetParam())) GTEST_SKIP() << "no Go compiler was found";
  }
};

// Each time.Now() is a reading of both clocks, each time.Since() one of the monotonic clock.
TEST_P(AloneInGo, FunctionsAreTheCallers) {
  const HostRun run = run_alone(GetParam(), {"calls", "40000"});
  EXPECT_EQ(run.ending(), "exit 0") << run.out << run.err;
  const Json report = report_of(run);
  EXPECT_EQ(calls_by(report, "main.asksNow"), 160'000) << report.dump(1);
  EXPECT_EQ(calls_by(report, "main.asksNowToo"), 80'000);
  EXPECT_EQ(calls_by(report, "main.asksSince"), 80'000);
  EXPECT_EQ(calls_by(report, "main.asksSinceToo"), 40'000);
  long backward = -1;
  for (const auto& [pid, number] : numbers_by_process(run, "backward")) backward = number;
  EXPECT_EQ(backward, 0);
}

TEST_P(AloneInGo, GoroutinesThatHandReadingsOverReadForward) {
  for (const char* counters : {"auto", "disagree"}) {
    for (const char* threads : {"1", "2", "4"}) {
      const HostRun run = run_alone(GetParam(), {"handoffs", "200000"},
                                    {{"GOMAXPROCS", threads}, {"CLOCKSHIM_COUNTERS", counters}});
      EXPECT_EQ(run.ending(), "exit 0") << run.out << run.err;
      for (const auto& [pid, number] : numbers_by_process(run, "backward"))
        EXPECT_EQ(number, 0) << counters << threads;
      // Each goroutine but the first begins with what another one has left.
      for (const auto& [pid, number] : numbers_by_process(run, "handoffs"))
        EXPECT_GE(number, 3) << counters << threads;
      EXPECT_EQ(calls_by(report_of(run), "main.handOver.func1"), 800'000) << counters << threads;
    }
  }
}

TEST_P(AloneInGo, WhatGoroutinesAreToldIsWithinTheTolerance) {
  for (const char* counters : {"auto", "disagree"}) {
    const HostRun run =
        run_alone(GetParam(), {"compare", "50000"}, {{"CLOCKSHIM_COUNTERS", counters}});
    EXPECT_EQ(run.ending(), "exit 0") << run.out << run.err;
    EXPECT_EQ(numbers_by_process(run, "outside").size(), 1U);
    for (const auto& [pid, number] : numbers_by_process(run, "outside"))
      EXPECT_EQ(number, 0) << counters;
    EXPECT_GE(served(report_of(run)), 190'000);
  }
}

// Descriptors, environment, signals, timers, limits; and what calls come to. The last line is of
// the test's own.
TEST_P(AloneInGo, ItFindsEverythingAndEachCallEndsAsItWouldWithoutUs) {
  for (const char* const what : {"state", "contract"}) {
    const HostRun bare =
        run_host(GetParam(), {.arguments = {what, "20000"}, .shim = false, .report = true});
    const HostRun run = run_alone(GetParam(), {what, "20000"});
    EXPECT_EQ(run.ending(), "exit 0") << run.out << run.err;
    EXPECT_GT(calls_in_all(report_of(run)), 10'000);
    const auto expected = lines_of(bare.out);
    const auto found = lines_of(run.out);
    ASSERT_GT(expected.size(), 4U) << bare.out << bare.err;
    ASSERT_EQ(found.size(), expected.size()) << what;
    for (std::size_t i = 0; i + 1 < expected.size(); ++i) EXPECT_EQ(found[i], expected[i]) << what;
  }
  const HostRun bare = run_host(GetParam(), {.arguments = {"fault", "0"}, .shim = false});
  const HostRun run = run_host(GetParam(), {.arguments = {"fault", "0"}});
  EXPECT_EQ(run.ending(), bare.ending());
  EXPECT_NE(run.ending(), "exit 0");
}

// syscall.Gettimeofday() calls the vDSO on the goroutine's own stack, on which some 700 bytes are
// left; the vDSO's function takes 100 of them.
TEST_P(AloneInGo, OnAGoroutinesStackACallTakesLittle) {
  constexpr long kMoreThanBare = 350;
  const std::map<std::string, std::string> calm{{"GODEBUG", "asyncpreemptoff=1"}};
  const auto depth_in = [](const HostRun& run) {
    const auto said = numbers_by_process(run, "depth");
    EXPECT_EQ(said.size(), 1U) << run.out << run.err;
    return said.empty() ? 0 : said.begin()->second;
  };
  const long bare = depth_in(
      run_host(GetParam(), {.arguments = {"depth", "2000"}, .environment = calm, .shim = false}));
  for (const char* counters : {"auto", "disagree"}) {
    auto environment = calm;
    environment["CLOCKSHIM_COUNTERS"] = counters;
    const HostRun run = run_alone(GetParam(), {"depth", "2000"}, environment);
    EXPECT_LE(depth_in(run), bare + kMoreThanBare) << counters;
    EXPECT_GE(served(report_of(run)), 1'900) << counters;
    RecordProperty(counters, std::to_string(depth_in(run) - bare));
  }
}

TEST_P(AloneInGo, ManyYoungGoroutinesAskOnTheirOwnStacks) {
  const HostRun run = run_alone(GetParam(), {"small_stacks", "20000"});
  EXPECT_EQ(run.ending(), "exit 0") << run.out << run.err;
  EXPECT_EQ(numbers_by_process(run, "wrong").begin()->second, 0);
  EXPECT_EQ(report_of(run).at("dropped"), 0);
  EXPECT_EQ(calls_by(report_of(run), "main.asksOnItsStack"), 400'000);
}

TEST_P(AloneInGo, BadSettingsAreSaidOnceAndItRunsOn) {
  const std::vector<std::array<const char*, 3>> settings{
      {"CLOCKSHIM_TOLERANCE", "banana", "passthrough"},
      {"CLOCKSHIM_TOLERANCE", "0", "passthrough"},
      {"CLOCKSHIM_COUNTERS", "synced", "passthrough"},
      {"CLOCKSHIM_CLOCKS", "sundial", "passthrough"},
      {"CLOCKSHIM_PROFILE", "everything", ""},
      {"CLOCKSHIM_DIR", "relative", ""}};
  for (const auto& [name, value, mode] : settings) {
    const HostRun run =
        run_host(GetParam(),
                 {.arguments = {"calls", "4000"}, .environment = {{name, value}}, .report = true});
    EXPECT_EQ(run.ending(), "exit 0") << name << run.err;
    EXPECT_EQ(numbers_by_process(run, "backward").begin()->second, 0) << name;
    const bool is_bad = std::string(value) != "0";
    EXPECT_EQ(lines_of(run.err).size(), is_bad ? 1U : 0U) << name << run.err;
    EXPECT_EQ(run.err.find(name) != std::string::npos, is_bad) << run.err;
    ASSERT_EQ(run.reports.size(), 1U) << name << run.err;
    EXPECT_EQ(report_of(run).at("mode") == "passthrough", std::string(mode) == "passthrough")
        << name;
    EXPECT_EQ(calls_by(report_of(run), "main.asksNow"), 16'000) << name;
  }
}

// It sets the clock, so nothing else may run beside it (meson.build).
TEST_P(AloneInGo, StepsOfTheClockAreFollowed) {
  for (const char* counters : {"auto", "disagree"}) {
    const HostRun run = run_alone(GetParam(), {"follow", "20"}, {{"CLOCKSHIM_COUNTERS", counters}});
    EXPECT_EQ(run.ending(), "exit 0") << run.out << run.err;
    if (!numbers_by_process(run, "forbidden").empty())
      GTEST_SKIP() << "only root may set the clock";
    EXPECT_EQ(numbers_by_process(run, "late").begin()->second, 0) << counters << run.out;
    // Of 40, and there and back may be one where the machine is busy.
    EXPECT_GE(report_of(run).at("disturbances"), 20) << counters << run.out;
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, AloneInGo,
                         testing::Values("asks_go", "asks_go_stripped", "asks_go_race"),
                         [](const auto& kind) { return std::string(kind.param); });

// It is dynamic, and its C library asks the vDSO, too.
TEST(AloneWithC, BothAreCountedOnce) {
  if (!is_there("asks_go_and_c")) GTEST_SKIP() << "no Go compiler was found";
  const Json report = report_of(run_alone("asks_go_and_c", {}));
  EXPECT_EQ(calls_by(report, "main.asksNow"), 80'000);
  EXPECT_EQ(calls_by(report, "asks_in_c"), 20'000) << report.dump(1);
  // GCC writes which addresses its objects have, and Go does not.
  for (const Json& site : report.at("sites")) {
    for (const Json& frame : site.at("frames")) {
      if (frame.at("symbol") != "main.asksNow") continue;
      const std::string file = frame.at("file");
      EXPECT_TRUE(file.ends_with("/asks_both.go")) << file;
    }
  }
}

TEST(AloneWithC, GoThatIsLinkedIntoAProgramInCHasCallersToo) {
  if (!is_there("asks_by_archive")) GTEST_SKIP() << "no Go compiler was found";
  const Json report = report_of(run_alone("asks_by_archive", {}));
  EXPECT_EQ(calls_by(report, "main.asksNow"), 80'000) << report.dump(1);
}

}  // namespace
}  // namespace clockshim::test
