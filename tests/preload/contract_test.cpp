// Why: a program relies on EINVAL for a clock that it probes, on errno left alone, even on the
// signal that a bad pointer raises. For every call the outcome is that of the real function,
// whatever state the cache is in.
#include <gtest/gtest.h>

#include "run_host.h"

namespace clockshim::test {
namespace {

void expect_same(const HostRun& run, const HostRun& bare) {
  EXPECT_EQ(run.ending(), bare.ending()) << run.err;
  const auto expected = lines_of(bare.out);
  const auto found = lines_of(run.out);
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) EXPECT_EQ(found[i], expected[i]);
}

class Contract : public testing::TestWithParam<std::map<std::string, std::string>> {};

TEST_P(Contract, OutcomesAreThoseOfTheRealFunctions) {
  const HostRun bare = run_host("contract", {.shim = false});
  ASSERT_EQ(bare.ending(), "exit 0") << bare.out;
  ASSERT_GT(lines_of(bare.out).size(), 500U);
  // errno stays as the host had set it, and the host's table knows what a success looks like.
  EXPECT_NE(bare.out.find("clock_gettime 0 good: result 0 errno 12345 written\n"),
            std::string::npos);
  expect_same(run_host("contract", {.environment = GetParam()}), bare);
}

TEST_P(Contract, CallersNeedNoAlignedStack) {
  auto environment = GetParam();
  environment.erase("CLOCKSHIM_REPORT");
  const HostRun run = run_host("misaligned", {.environment = environment, .report = true});
  EXPECT_EQ(run.ending(), "exit 0") << run.out << run.err;
}

using Settings = std::map<std::string, std::string>;
INSTANTIATE_TEST_SUITE_P(
    InEveryMode, Contract,
    testing::Values(Settings{{"CLOCKSHIM_REPORT", "none"}},
                    Settings{{"CLOCKSHIM_TOLERANCE", "0"}, {"CLOCKSHIM_REPORT", "none"}},
                    Settings{{"CLOCKSHIM_ORDER", "relaxed"}, {"CLOCKSHIM_REPORT", "none"}},
                    Settings{{"CLOCKSHIM_PROFILE", "off"}, {"CLOCKSHIM_REPORT", "none"}},
                    Settings{{"CLOCKSHIM_PROFILE", "stacks:1"}, {"CLOCKSHIM_REPORT", "none"}},
                    Settings{{"CLOCKSHIM_DEPTH", "6"}, {"CLOCKSHIM_REPORT", "none"}},
                    Settings{{"CLOCKSHIM_COUNTERS", "disagree"}, {"CLOCKSHIM_REPORT", "none"}},
                    Settings{{"CLOCKSHIM_CLOCKS", "monotonic"}, {"CLOCKSHIM_REPORT", "none"}}));

}  // namespace
}  // namespace clockshim::test
