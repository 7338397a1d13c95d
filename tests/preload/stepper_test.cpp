// Why: a signal may come behind any instruction, and its handler may ask for the time, jump out of
// what it has interrupted, or find another thread's work half done in a forked child. So a host
// asks behind each instruction of its calls, of first ones, of forks, ends of threads, unloads and
// exits.
#include <gtest/gtest.h>

#include <csignal>

#include "run_host.h"

namespace clockshim::test {
namespace {

class Stepper : public testing::TestWithParam<std::string> {
 protected:
  static HostRun run(const std::vector<std::string>& arguments,
                     std::map<std::string, std::string> environment = {}) {
    const std::string way = GetParam();
    environment["CLOCKSHIM_COUNTERS"] = way.substr(0, way.find('_'));
    if (way.ends_with("_without_rseq")) environment["GLIBC_TUNABLES"] = "glibc.pthread.rseq=0";
    HostRun run =
        run_host("stepper", {.arguments = arguments, .environment = environment, .report = true});
    EXPECT_EQ(run.ending(), "exit 0") << run.out << run.err;
    return run;
  }
};

TEST_P(Stepper, AsksBehindEachInstructionOfACall) { expect_exact_counts(run({"calls"}), 1); }
TEST_P(Stepper, AsksOnAnotherStack) { expect_exact_counts(run({"calls", "other-stack"}), 1); }
// What a handler asks in a child before the child's first call is at its end counts in the parent's
// report. In all, nothing is lost.
TEST_P(Stepper, AsksInForkAndInTheChildsFirstCall) {
  // glibc 2.41 forks with all signals blocked, and a trap that is blocked kills.
  const HostRun bare = run_host("stepper", {.arguments = {"forks"}, .shim = false});
  if (bare.signal == SIGTRAP) GTEST_SKIP() << "the C library's fork() can't be stepped through";
  const HostRun host = run({"forks"});
  EXPECT_EQ(host.reports.size(), 5U);
  long said = 0;
  long told = 0;
  for (const auto& [process, calls] : numbers_by_process(host, "calls")) said += calls;
  for (const auto& [process, report] : host.reports) {
    told += calls_in_all(report);
    EXPECT_EQ(report.at("dropped").get<long>(), 0);
  }
  EXPECT_EQ(told, said);
}

TEST_P(Stepper, AsksWhileThreadsBeginAndEnd) { expect_exact_counts(run({"threads"}), 1); }
TEST_P(Stepper, AsksWhileAPlugInIsClosed) { expect_exact_counts(run({"unloads"}), 1); }
TEST_P(Stepper, AsksWhileTheProcessEnds) { run({"exit"}); }

// How many sites a report has that are told apart by the caller behind them, and have at least so
// many calls.
long told_apart(const Json& report, const std::string& symbol, long calls) {
  long sites = 0;
  for (const auto& site : report.at("sites")) {
    const bool behind =
        site.at("exact_frames").get<long>() >= 2 && site.at("frames")[1].at("symbol").is_string() &&
        site.at("frames")[1].at("symbol").get<std::string>().find(symbol) != std::string::npos;
    sites += behind && site.at("calls").get<long>() >= calls ? 1 : 0;
  }
  return sites;
}

TEST_P(Stepper, AJumpOutOfAFirstCallLeavesNothingBehind) {
  for (const long first : {1, 1500}) {
    const HostRun host = run({"jumps", std::to_string(first)}, {{"CLOCKSHIM_DEPTH", "1"}});
    ASSERT_EQ(host.reports.size(), 1U);
    const Json& report = host.reports.begin()->second;
    const long jumped = numbers_by_process(host, "jumped").begin()->second;
    const long calls = numbers_by_process(host, "calls").begin()->second;
    EXPECT_EQ(told_apart(report, "caller", 10), 60) << "from " << first;
    EXPECT_EQ(told_apart(report, "behind_wrapper", 10), 60) << "from " << first;
    EXPECT_LE(calls_in_all(report), calls);
    EXPECT_GE(calls_in_all(report), calls - jumped) << "what was jumped over may count or not";
  }
}

TEST_P(Stepper, AForkWhileAnotherThreadLearnsLeavesNothingBehind) {
  for (long after = 40; after < 8000; after += 1500) {
    const HostRun host = run({"fork-while", std::to_string(after)}, {{"CLOCKSHIM_DEPTH", "1"}});
    expect_exact_counts(host, 2);
    for (const auto& [process, report] : host.reports) {
      if (calls_in_all(report) != 21) continue;  // the parent's
      EXPECT_EQ(told_apart(report, "caller", 1), 21) << "after " << after;
    }
  }
}

std::string name_of(const testing::TestParamInfo<std::string>& way) { return way.param; }
INSTANTIATE_TEST_SUITE_P(Counters, Stepper,
                         testing::Values("auto", "disagree", "auto_without_rseq"), name_of);

}  // namespace
}  // namespace clockshim::test
