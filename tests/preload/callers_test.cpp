// Why: most C++ callers ask through std::chrono. Counted under std::chrono they are one useless
// line; who it really was must be told, exactly, whether or not the program keeps frame pointers.
#include <gtest/gtest.h>

#include "run_host.h"

namespace clockshim::test {
namespace {

class Callers : public testing::TestWithParam<std::string> {};

TEST_P(Callers, BehindAWrapperAreToldApartExactly) {
  const HostRun run = run_host(GetParam(), {.report = true});
  ASSERT_EQ(run.ending(), "exit 0") << run.out << run.err;
  expect_exact_counts(run, 1);
  ASSERT_EQ(run.reports.size(), 1U);
  const Json& report = run.reports.begin()->second;
  // The wrapper, then the caller; unoptimised, the host's own inline function may stand between.
  constexpr std::size_t kFrames = 3;
  EXPECT_EQ(calls_from(report, "asks_3000_times", kFrames), 3000) << report.dump(1);
  EXPECT_EQ(calls_from(report, "asks_7000_times", kFrames), 7000);
  EXPECT_EQ(calls_from(report, "asks_the_day_500_times", kFrames), 500);
  EXPECT_EQ(calls_from(report, "asks_directly_200_times", kFrames), 200);
  EXPECT_EQ(report.at("sites").size(), 4U);
  for (const auto& site : report.at("sites")) EXPECT_FALSE(site.at("sampled").get<bool>());
  const auto& wrapper = report.at("sites")[0].at("frames")[0].at("symbol");
  EXPECT_NE(wrapper.get<std::string>().find("steady_clock"), std::string::npos) << wrapper;
}

INSTANTIATE_TEST_SUITE_P(InEveryBuild, Callers,
                         testing::Values("callers_frame_pointer", "callers_no_frame_pointer",
                                         "callers_unoptimised"));

}  // namespace
}  // namespace clockshim::test
