// Why: exit() may come in a handler, over a malloc() that holds its locks, on a small stack, in
// several threads at once; and the report may have nowhere to go: a pipe that nobody reads, a full
// disk, a file as large as it may be. No report is worth a host that hangs or dies.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "run_host.h"

namespace clockshim::test {
namespace {

constexpr int kTries = 20;

// Each call of the C library's that may find a lock held, or somebody's sanitizer in its place.
TEST(LastWords, CallNothingOfTheHosts) {
  for (const char* how : {"return", "handler"}) {
    ASSERT_EQ(run_host("own_calls", {.arguments = {how}, .shim = false}).ending(), "exit 7");
    for (const bool json : {false, true}) {
      const HostRun run = run_host("own_calls", {.arguments = {how}, .report = json});
      EXPECT_EQ(run.ending(), "exit 7") << how << ": " << run.out;
      if (json) {
        ASSERT_EQ(run.reports.size(), 1U) << run.err;
        EXPECT_GE(calls_from(run.reports.begin()->second, "main"), 5000);
      } else {
        EXPECT_NE(run.err.find("main"), std::string::npos) << run.err;
      }
    }
  }
}

// The same holds at start and in calls: a program with an allocator of its own sees none of ours.
TEST(LastWords, AreNotTheOnlyOnesWithoutTheHostsHeap) {
  const HostRun bare = run_host("own_calls", {.arguments = {"start"}, .shim = false});
  const HostRun run = run_host("own_calls", {.arguments = {"start"}});
  ASSERT_EQ(bare.ending(), "exit 7") << bare.out;
  ASSERT_EQ(run.ending(), "exit 7") << run.out;
  EXPECT_EQ(numbers_by_process(run, "allocations").begin()->second,
            numbers_by_process(bare, "allocations").begin()->second);
}

TEST(LastWords, InAHandlerOnASmallStack) {
  ASSERT_EQ(run_host("last_words", {.arguments = {"small-stack"}, .shim = false}).ending(),
            "exit 7");
  const HostRun run = run_host("last_words", {.arguments = {"small-stack"}, .report = true});
  EXPECT_EQ(run.ending(), "exit 7");
  ASSERT_EQ(run.reports.size(), 1U) << run.err;
  EXPECT_NE(run.reports.begin()->second.dump().find("name::name::name::"), std::string::npos);
}

TEST(LastWords, ToADescriptorThatNobodyReads) {
  for (const char* what : {"pipe", "socket", "terminal"}) {
    const HostRun run = run_host("last_words", {.arguments = {what, "full"}});
    EXPECT_EQ(run.ending(), "exit 7") << what << run.out;
    EXPECT_EQ(run.out, "asked\n");
  }
}

TEST(LastWords, ToAPathThatNobodyReads) {
  const TempDir directory;
  const std::string path = directory.path() / "fifo";
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  const HostRun run =
      run_host("last_words", {.arguments = {"plain"}, .environment = {{"CLOCKSHIM_REPORT", path}}});
  EXPECT_EQ(run.ending(), "exit 7");
  EXPECT_NE(run.err.find("`clockshim report` tells it"), std::string::npos) << run.err;
  EXPECT_EQ(lines_of(run.err).size(), 1U) << run.err;
}

TEST(LastWords, ToAFullDisk) {
  const HostRun run = run_host(
      "last_words", {.arguments = {"plain"}, .environment = {{"CLOCKSHIM_REPORT", "/dev/full"}}});
  EXPECT_EQ(run.ending(), "exit 7");
  EXPECT_NE(run.err.find("No space left on device; `clockshim report` tells it"), std::string::npos)
      << run.err;
}

TEST(LastWords, LongerThanAFileMayBe) {
  const TempDir directory;
  for (const std::string& report :
       {std::string("stderr"), std::string(directory.path() / "report")}) {
    const HostRun run = run_host(
        "last_words", {.arguments = {"file-size"}, .environment = {{"CLOCKSHIM_REPORT", report}}});
    EXPECT_EQ(run.ending(), "exit 7") << report << run.err;
  }
}

TEST(LastWords, WithoutMemory) {
  for (const char* how : {"memory", "memory-small-stack"}) {
    const HostRun run = run_host("last_words", {.arguments = {how}, .report = true});
    EXPECT_EQ(run.ending(), "exit 7") << how << run.err;
    EXPECT_EQ(run.reports.size(), 1U) << how << run.err;
  }
}

// What does not fit is given up, from the middle of it, and stays in the live file.
TEST(LastWords, MoreThanThereIsMemoryFor) {
  for (const char* how : {"memory-many", "memory-many-small-stack"}) {
    const TempDir directory;
    const std::string path = directory.path() / "report.json";
    const HostRun run =
        run_host("last_words", {.arguments = {how},
                                .environment = {{"CLOCKSHIM_DIR", directory.path() / "live"},
                                                {"CLOCKSHIM_REPORT", path}}});
    EXPECT_EQ(run.ending(), "exit 7") << how;
    EXPECT_EQ(run.err, "clockshim: no memory for the report of this process\n");
    EXPECT_FALSE(std::filesystem::is_empty(directory.path() / "live"));
  }
}

TEST(LastWords, ExitInThreadsAtOnce) {
  for (int i = 0; i < kTries; ++i) {
    const HostRun run = run_host("last_words", {.arguments = {"threads"}});
    ASSERT_EQ(run.ending(), "exit 7") << run.err;
  }
}

// The C library's own exit() can't bear every interruption by itself: beside a load, 6 of 1,000
// bare programs were killed by SIGSEGV there, and 4 of 1,000 with the library.
TEST(LastWords, ExitInHandlersAllTheTime) {
  int killed = 0;
  for (int i = 0; i < kTries; ++i) {
    const HostRun run = run_host("last_words", {.arguments = {"storm"}});
    if (run.ending() == "signal 11" && ++killed * 10 <= kTries) continue;
    ASSERT_EQ(run.ending(), "exit 7") << run.err;
  }
}

// MSan's own memcmp() and write() judge what we wrote into memory of the host's, and end the
// process with 1.
TEST(LastWords, OfAProgramUnderMemorySanitizer) {
  if (!std::filesystem::exists(host_path("asks_msan")))
    GTEST_SKIP() << "no clang with its MemorySanitizer";
  for (const bool json : {false, true}) {
    const HostRun run = run_host("asks_msan", {.report = json});
    EXPECT_EQ(run.ending(), "exit 7") << run.err;
    EXPECT_EQ(run.err.find("MemorySanitizer"), std::string::npos) << run.err;
    EXPECT_TRUE(json ? run.reports.size() == 1 : run.err.find("asks_msan[") != std::string::npos)
        << run.err;
  }
}

}  // namespace
}  // namespace clockshim::test
