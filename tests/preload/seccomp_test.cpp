// Why: sandboxes close behind the program after its start. From then on a system call that nobody expected kills it, so
// asking for the time, also at the first sight of a caller, may use none but the clock's own.
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

TEST(Seccomp, ExitWithoutAReportNeedsNoneEither) {
  const HostRun run = run_host("seccomp", {.arguments = {"exit"}, .environment = {{"CLOCKSHIM_REPORT", "none"}}});
  EXPECT_EQ(run.ending(), "exit 0") << run.err;
  EXPECT_EQ(run.out, kSaid);
}

}  // namespace
}  // namespace clockshim::test
