// Why: the report comes last, in a process that may be ending badly. How it ends, and what it says,
// is the host's alone.
#include <gtest/gtest.h>

#include "run_host.h"

namespace clockshim::test {
namespace {

class Endings : public testing::TestWithParam<std::string> {};

TEST_P(Endings, AreTheHostsOwn) {
  const HostRun bare = run_host("endings", {.arguments = {GetParam()}, .shim = false});
  const HostRun run = run_host("endings", {.arguments = {GetParam()}});
  EXPECT_EQ(run.ending(), bare.ending()) << run.err;
  EXPECT_EQ(run.out, bare.out);
}

INSTANTIATE_TEST_SUITE_P(OfEveryKind, Endings,
                         testing::Values("return", "exit", "_exit", "quick_exit", "abort", "kill",
                                         "term", "segv", "exit-in-handler", "exit-in-thread",
                                         "last-thread"));

TEST(Endings, AnOrdinaryOneIsToldOnStderr) {
  const HostRun run = run_host("endings", {.arguments = {"exit"}});
  EXPECT_NE(run.err.find("endings["), std::string::npos) << run.err;
}

}  // namespace
}  // namespace clockshim::test
