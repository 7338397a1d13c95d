// Why: sandboxes close behind the program after its start. From then on a system call that nobody
// expected kills it, so asking for the time, also at the first sight of a caller, may use none but
// the clock's own.
#include <gtest/gtest.h>

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

TEST(Seccomp, ExitWithoutAReportNeedsNoneEither) {
  const HostRun run =
      run_host("seccomp", {.arguments = {"exit"}, .environment = {{"CLOCKSHIM_REPORT", "none"}}});
  EXPECT_EQ(run.ending(), "exit 0") << run.err;
  EXPECT_EQ(run.out, kSaid);
}

}  // namespace
}  // namespace clockshim::test
