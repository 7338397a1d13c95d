// Why: what the loader knows of a module, and the module's memory, are gone when another thread has
// closed it, and the next module may stand in its place at that instant. Nothing of it may be read
// then, and no call be counted under its name.
#include <gtest/gtest.h>

#include <set>

#include "run_host.h"

namespace clockshim::test {
namespace {

HostRun unloading(const std::string& how, const std::string& depth = "0") {
  return run_host(
      "unloading",
      {.arguments = {how}, .environment = {{"CLOCKSHIM_DEPTH", depth}}, .report = true});
}

long sites_of(const Json& report, const std::string& symbol) {
  long sites = 0;
  for (const auto& site : report.at("sites")) {
    const auto& frames = site.at("frames");
    if (!frames.empty() && frames[0].at("symbol") == symbol) ++sites;
  }
  return sites;
}

// 300 times 20 calls, and 3 while it is unloaded.
constexpr long kEach = 300 * (20 + 3);

TEST(Unloading, ThreadsWithAPluginOfTheirOwn) {
  for (const char* depth : {"0", "0", "6"}) {
    const HostRun run = unloading("threads", depth);
    ASSERT_EQ(run.ending(), "exit 0") << run.out << run.err;
    expect_exact_counts(run, 1);
    const Json& report = run.reports.begin()->second;
    for (const char* name : {"plug_a_reads", "plug_b_reads", "plug_c_reads", "plug_d_reads"})
      EXPECT_EQ(calls_from(report, name), kEach) << name;
  }
}

// 600 times in the same place: there is room for 128 modules, and for 112 callers in the thread's
// table.
TEST(Unloading, TwoInTurnNeedRoomOnce) {
  for (const char* depth : {"0", "1", "6"}) {
    const HostRun run = unloading("reload", depth);
    ASSERT_EQ(run.ending(), "exit 0") << run.out << run.err;
    EXPECT_EQ(run.out.find("another place"), std::string::npos)
        << "the loader put it elsewhere: this says nothing";
    expect_exact_counts(run, 1);
    const Json& report = run.reports.begin()->second;
    EXPECT_EQ(report.at("dropped"), 0);
    for (const char* name : {"plug_a_reads", "plug_b_reads"}) {
      EXPECT_EQ(calls_from(report, name), kEach);
      // The host's round and the destructor: with a walk of six frames these are two callers, and
      // so they are where the first frame's rule is learned late.
      EXPECT_LE(sites_of(report, name), 4);
    }
  }
}

TEST(Unloading, WrapperAndNoWrapperInTurn) {
  const HostRun run = unloading("reload-wrappers");
  ASSERT_EQ(run.ending(), "exit 0") << run.out << run.err;
  expect_exact_counts(run, 1);
  const Json& report = run.reports.begin()->second;
  EXPECT_EQ(calls_from(report, "g_get_monotonic_time"), 300 * 20);
  EXPECT_EQ(calls_from(report, "not_a_wrapper_"), 300 * 20);
  EXPECT_LE(sites_of(report, "g_get_monotonic_time") + sites_of(report, "not_a_wrapper_"), 4);
}

// The thread that goes on has counted at this address before, and does so again before the one that
// closes has come back from the loader.
TEST(Unloading, AnotherThreadClosesWhileThisOneLoads) {
  const HostRun run = unloading("closed-by-another");
  ASSERT_EQ(run.ending(), "exit 0") << run.out << run.err;
  ASSERT_NE(run.out.find("same place"), std::string::npos)
      << "the loader put it elsewhere: this says nothing";
  expect_exact_counts(run, 1);
  const Json& report = run.reports.begin()->second;
  EXPECT_EQ(calls_from(report, "plug_a_reads"), 20 * 300);
  EXPECT_EQ(calls_from(report, "plug_b_reads"), 20 * 700);
}

// Another hundred of modules, each of which has been somewhere once: closing one costs as much as
// ever.
TEST(Unloading, OfTheHundredthModuleIsAsQuick) {
  constexpr int kModules = 150;
  constexpr long kMost = 500'000;  // ns
  const TempDir folder;
  for (int i = 0; i < kModules; ++i)
    std::filesystem::copy_file(host_path("plug_a.so"), folder.path(std::to_string(i) + ".so"));
  long longest = -1;
  for (int i = 0; i < 3 && (longest < 0 || longest > kMost); ++i) {  // of a machine that is busy
    const HostRun run =
        run_host("unloading",
                 {.arguments = {"many", folder.path(), std::to_string(kModules)}, .report = true});
    ASSERT_EQ(run.ending(), "exit 0") << run.out << run.err;
    expect_exact_counts(run, 1);
    longest = numbers_by_process(run, "longest").begin()->second;
  }
  RecordProperty("longest", std::to_string(longest));
  EXPECT_LE(longest, kMost);
}

TEST(Unloading, SaysWhatTheRealOneSays) {
  const auto said = [](bool shim) {
    const HostRun run = run_host("unloading", {.arguments = {"twice"}, .shim = shim});
    EXPECT_EQ(run.ending(), "exit 0") << run.out << run.err;
    return run.out.substr(0, run.out.find("calls"));
  };
  EXPECT_EQ(said(true), said(false));
}

}  // namespace
}  // namespace clockshim::test
