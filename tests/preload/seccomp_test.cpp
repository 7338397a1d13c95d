// Why: sandboxes close behind the program after its start. From then on a system call that nobody
// expected kills it, so asking for the time, also at the first sight of a caller, may use none but
// the clock's own.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "run_host.h"

namespace clockshim::test {
namespace {

constexpr const char* kSaid = "asked behind the filter\n";

TEST(Seccomp, CallsNeedNoSystemCallButTheClocks) {
  const HostRun bare = run_host("seccomp", {.arguments = {"_exit"}, .shim = false});
  ASSERT_EQ(bare.ending(), "exit 0") << bare.out;
  const HostRun run = run_host("seccomp", {.arguments = {"_exit"}});
  EXPECT_EQ(run.ending(), "exit 0") << run.err;
  EXPECT_EQ(run.out, kSaid);
}

TEST(Seccomp, InAContainersFilterCallersHaveNames) {
  const HostRun run =
      run_host("contained", {.arguments = {host_path("callers_unoptimised")}, .report = true});
  if (!numbers_by_process(run, "forbidden").empty())
    GTEST_SKIP() << "only root may put on a filter as a container does";
  ASSERT_EQ(run.ending(), "exit 0") << run.out << run.err;
  ASSERT_EQ(run.reports.size(), 1U) << run.err;
  EXPECT_EQ(run.reports.begin()->second.dump().find("seccomp"), std::string::npos);
  EXPECT_NE(run.reports.begin()->second.dump().find("\"symbol\":\""), std::string::npos)
      << run.reports.begin()->second.dump(1);
}

// A hardened unit, a restricted pod: the program is told from one that has locked itself in, so
// its report has names and is told once, and nothing of it stays behind.
TEST(Seccomp, InAHardenedUnitsFilterOneReportHasNames) {
  const char* const command = std::getenv("CLOCKSHIM_TEST_COMMAND");
  ASSERT_NE(command, nullptr);
  const TempDir folder;
  const std::string report = folder.path("report.json");
  const HostRun run =
      run_host(command, {.arguments = {"run", "--report", report, "--", host_path("contained"),
                                       "no_new_privs", host_path("callers_unoptimised")},
                         .environment = {{"CLOCKSHIM_DIR", folder.path("live")}},
                         .shim = false});
  ASSERT_EQ(run.ending(), "exit 0") << run.out << run.err;
  std::vector<std::string> reports;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    if (entry.is_regular_file()) reports.push_back(entry.path().filename());
  }
  EXPECT_EQ(reports, std::vector<std::string>{"report.json"});
  std::stringstream text;
  text << std::ifstream(report).rdbuf();
  const Json told = Json::parse(text.str(), nullptr, false);
  ASSERT_FALSE(told.is_discarded()) << text.str();
  EXPECT_EQ(calls_in_all(told), numbers_by_process(run, "calls").begin()->second);
  EXPECT_EQ(calls_from(told, "asks_directly_200_times", 2), 200) << told.dump(1);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path("live")));
}

// Without `run`, which would have removed what stays.
TEST(Seccomp, InAHardenedUnitsFilterNoLiveFileStays) {
  const TempDir folder;
  const HostRun run =
      run_host("contained",
               {.arguments = {"no_new_privs", host_path("asks")},
                .environment = {{"CLOCKSHIM_DIR", folder.path("live")}, {"CLOCKSHIM_ONLY", "asks"}},
                .report = true});
  ASSERT_EQ(run.ending(), "exit 7") << run.out << run.err;
  EXPECT_EQ(run.reports.size(), 1U) << run.err;
  EXPECT_TRUE(std::filesystem::is_empty(folder.path("live")));
}

TEST(Seccomp, ExitWithoutAReportNeedsNoneEither) {
  const HostRun run =
      run_host("seccomp", {.arguments = {"exit"}, .environment = {{"CLOCKSHIM_REPORT", "none"}}});
  EXPECT_EQ(run.ending(), "exit 0") << run.err;
  EXPECT_EQ(run.out, kSaid);
}

}  // namespace
}  // namespace clockshim::test
