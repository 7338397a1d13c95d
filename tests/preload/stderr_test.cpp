// Why: descriptor 2 at exit may be something else than at start: closed, a log that the daemon
// opened, a client's socket, or a pipe that nobody reads any more. The report goes to the
// descriptor 2 of the start or nowhere, and never ends the host.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "run_host.h"

namespace clockshim::test {
namespace {

TEST(Stderr, KeptGetsTheReport) {
  const HostRun run = run_host("asks");
  EXPECT_EQ(run.ending(), "exit 7");
  EXPECT_NE(run.err.find("asks["), std::string::npos) << run.err;
  EXPECT_EQ(run.out, "asked\n");
}

TEST(Stderr, ReplacedByAFileOfTheHostsStaysTheHosts) {
  for (const char* how : {"reopen", "move"}) {
    const TempDir directory;
    const std::string log = directory.path() / "log";
    const HostRun run = run_host("asks", {.arguments = {how, log}});
    EXPECT_EQ(run.ending(), "exit 7");
    EXPECT_EQ(run.err, "");
    std::ifstream file(log);
    EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), "the host's\n") << how;
  }
}

TEST(Stderr, ClosedByTheHost) {
  const HostRun run = run_host("asks", {.arguments = {"close"}});
  EXPECT_EQ(run.ending(), "exit 7");
  EXPECT_EQ(run.err, "");
}

TEST(Stderr, ClosedFromTheStart) {
  const HostRun run = run_host("asks", {.stderr_is = Stderr::closed});
  EXPECT_EQ(run.ending(), "exit 7");
  EXPECT_EQ(run.out, "asked\n");
}

// The host opens its log first thing: it becomes descriptor 2, which was nobody's at our start.
TEST(Stderr, ClosedFromTheStartAndOpenedByTheHost) {
  const TempDir directory;
  const std::string log = directory.path() / "log";
  const HostRun run = run_host("asks", {.arguments = {"reopen", log}, .stderr_is = Stderr::closed});
  EXPECT_EQ(run.ending(), "exit 7");
  std::ifstream file(log);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), "the host's\n");
}

TEST(Stderr, PipeWhoseReaderHasGone) {
  const HostRun run = run_host("asks", {.stderr_is = Stderr::pipe_without_reader});
  EXPECT_EQ(run.ending(), "exit 7");
  EXPECT_EQ(run.out, "asked\n");
}

}  // namespace
}  // namespace clockshim::test
