// Why: plug-ins come and go. What is remembered of an address must not outlive the code that stood
// there, and the unwinder that teaches us frames must not become the unwinder of the host's
// exceptions and cancellations.
#include <gtest/gtest.h>

#include "run_host.h"

namespace clockshim::test {
namespace {

HostRun plugins(const std::string& how) {
  return run_host("plugins", {.arguments = {how}, .report = true});
}

TEST(Plugins, TwoAreToldApart) {
  const HostRun run = plugins("two");
  ASSERT_EQ(run.ending(), "exit 0") << run.out << run.err;
  expect_exact_counts(run, 1);
  const Json& report = run.reports.begin()->second;
  EXPECT_EQ(calls_from(report, "plug_a_reads", 2) + calls_from(report, "plug_a_ask"), 300)
      << report.dump(1);
  EXPECT_EQ(calls_from(report, "plug_b_reads", 2) + calls_from(report, "plug_b_ask"), 700)
      << report.dump(1);
}

// Its own scope comes first, and in it the C library's clock: such calls are beyond any preload,
// and must work.
TEST(Plugins, Deepbind) {
  const HostRun run = plugins("deepbind");
  ASSERT_EQ(run.ending(), "exit 0") << run.out << run.err;
  ASSERT_EQ(run.reports.size(), 1U);
  const long calls = calls_in_all(run.reports.begin()->second);
  EXPECT_TRUE(calls == 1 || calls == 1001) << calls;
}

TEST(Plugins, OneLoadedWhereAnotherWasUnloaded) {
  for (const char* depth : {"0", "1", "6"}) {
    const HostRun run = run_host(
        "plugins",
        {.arguments = {"replaced"}, .environment = {{"CLOCKSHIM_DEPTH", depth}}, .report = true});
    ASSERT_EQ(run.ending(), "exit 0") << run.out << run.err;
    expect_exact_counts(run, 1);
    ASSERT_NE(run.out.find("same place"), std::string::npos)
        << "the loader put it elsewhere: this says nothing";
    const Json& report = run.reports.begin()->second;
    EXPECT_EQ(calls_from(report, "plug_a_reads"), 300) << report.dump(1);
    EXPECT_EQ(calls_from(report, "plug_b_reads"), 700) << report.dump(1);
  }
}

// The frame rule of a wrapper that was unloaded must not be applied to what stands there now: it
// would read wild memory, or find a caller that is none.
TEST(Plugins, FunctionLoadedWhereAWrapperWasUnloaded) {
  for (const char* second : {"plug_w2.so", "plug_w3.so"}) {
    const HostRun run =
        run_host("plugins", {.arguments = {"wrapper-replaced", second}, .report = true});
    ASSERT_EQ(run.ending(), "exit 0") << run.out << run.err;
    expect_exact_counts(run, 1);
    ASSERT_NE(run.out.find("same place"), std::string::npos)
        << "the loader put it elsewhere: this says nothing";
    const Json& report = run.reports.begin()->second;
    EXPECT_EQ(calls_from(report, "g_get_monotonic_time"), 300) << report.dump(1);
    EXPECT_EQ(calls_from(report, "not_a_wrapper_"), 700) << report.dump(1);
    for (const auto& site : report.at("sites")) {
      if (site.at("calls") == 700) {
        EXPECT_EQ(site.at("exact_frames"), 1) << "a stale rule: it was walked out of";
      }
    }
  }
}

TEST(Plugins, CxxPluginInACProgramUnwindsAsItShould) {
  for (const bool shim : {false, true}) {
    const HostRun run = run_host("c_host", {.shim = shim});
    EXPECT_EQ(run.ending(), "exit 0") << run.err;
    EXPECT_EQ(run.out, "caught 6 of 6\ndestroyed 6 of 6\n")
        << (shim ? "with the shim" : "without the shim");
  }
}

}  // namespace
}  // namespace clockshim::test
