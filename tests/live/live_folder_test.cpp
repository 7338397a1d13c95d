// The folder of live files: what is taken for one, what is refused, and whether its process runs.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "cli/livefiles/live_dir.h"
#include "cli/livefiles/live_process.h"
#include "live_host.h"
#include "os/process.h"

namespace clockshim::cli {
namespace {

using test::dead_file;
using test::LiveHost;
using test::TempDir;

std::string refusal(const std::string& path) {
  std::string problem;
  EXPECT_FALSE(LiveFile::open(path, problem)) << path;
  return problem;
}

Report report_of(const std::string& path) {
  std::string problem;
  const auto file = LiveFile::open(path, problem);
  EXPECT_TRUE(file) << problem;
  return file ? file->report() : Report{};
}

TEST(LiveName, IsPidAndStart) {
  for (const char* name : {"1-0.live", "4242-1a2b3c.live", "4242-1a2b3c.1.live"})
    EXPECT_TRUE(is_live_name(name)) << name;
  for (const char* name :
       {"", ".live", "1.live", "-1.live", "0-1.live", "1-1.livex", "1-1.live\n", ".1-1.live",
        "1-g.live", "1-1..live", "1-1.x.live", "x1-1.live", "../1-1.live"})
    EXPECT_FALSE(is_live_name(name)) << name;
  EXPECT_TRUE(is_temporary_name(".12-1a"));
  EXPECT_FALSE(is_temporary_name("12-1a"));
  EXPECT_FALSE(is_temporary_name(".12-1a.live"));
}

TEST(LiveFiles, AreThoseThatAreCalledLikeOne) {
  const TempDir dir;
  dead_file(dir);
  dir.file("notes.txt", "", test::kPlain);
  dir.file(".7-7", "", test::kPlain);
  EXPECT_EQ(live_files({dir.path().string()}).size(), 1U);
  EXPECT_TRUE(live_files({dir.path("missing")}).empty());
}

TEST(LiveFile, IsRefusedWhereItIsNone) {
  const TempDir dir;
  const std::string good = dead_file(dir);
  std::filesystem::create_symlink(good, dir.path("1-1.live"));
  EXPECT_EQ(refusal(dir.path("1-1.live")), "is a symbolic link, and none of clockshim's");
  std::filesystem::create_directory(dir.path("1-2.live"));
  EXPECT_EQ(refusal(dir.path("1-2.live")), "is no plain file");
  ASSERT_EQ(mkfifo(dir.path("1-3.live").c_str(), 0600), 0);  // nobody writes to it, ever
  EXPECT_EQ(refusal(dir.path("1-3.live")), "is no plain file");
  dir.file("1-4.live", "", test::kPlain);
  EXPECT_EQ(refusal(dir.path("1-4.live")), "is no live file");
  dir.file("1-5.live", std::string(100'000, 'x'), test::kPlain);
  EXPECT_EQ(refusal(dir.path("1-5.live")), "is no live file");
  std::filesystem::resize_file(dir.file("1-6.live", "", test::kPlain),
                               std::uintmax_t{1} << 33);  // sparse
  EXPECT_EQ(refusal(dir.path("1-6.live")), "is too large for a live file");
  std::filesystem::copy_file(good, dir.path("1-7.live"));
  std::filesystem::resize_file(dir.path("1-7.live"), 5000);
  EXPECT_EQ(refusal(dir.path("1-7.live")), "is cut short");
  EXPECT_EQ(refusal(dir.path("1-8.live")), "No such file or directory");
}

TEST(LiveFile, OfAStrangerInAnothersFolderIsRefused) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can make a foreign file";
  const TempDir dir;
  const std::string path = dead_file(dir);
  ASSERT_EQ(chmod(dir.path().string().c_str(), 0755), 0);
  ASSERT_EQ(chmod(path.c_str(), 0644), 0);
  ASSERT_EQ(chown(path.c_str(), 12345, 12345), 0);
  EXPECT_EQ(report_of(path).calls(), 77U) << "root may read all";
  ASSERT_EQ(seteuid(65534), 0);
  const std::string problem = refusal(path);
  ASSERT_EQ(seteuid(0), 0);
  EXPECT_EQ(problem, "belongs to another user than its folder");
}

TEST(LiveFile, TellsRunningLostAndEnded) {
  const TempDir dir;
  std::string path;
  {
    LiveHost host(dir.path().string(), "host (x) y");
    const auto files = live_files_of(host.pid(), {dir.path().string()});
    ASSERT_EQ(files.size(), 1U);
    path = files[0];
    EXPECT_EQ(report_of(path).state, "running");
    EXPECT_EQ(report_of(path).program, "host (x) y");
    EXPECT_GE(report_of(path).seconds, 0);
    EXPECT_LT(report_of(path).seconds, 60);
  }
  EXPECT_EQ(report_of(path).state, "lost") << "it was killed";
  LiveHost orderly(dir.path().string(), "orderly");
  const pid_t number = orderly.pid();
  kill(number, SIGUSR1);
  orderly.finish();
  const auto files = live_files_of(number, {dir.path().string()});
  ASSERT_EQ(files.size(), 1U) << "the file of a process that is gone is found by its number";
  EXPECT_EQ(report_of(files[0]).state, "ended");
}

TEST(LiveFile, IsLostWhenItsProgramWasReplaced) {
  const TempDir dir;
  LiveHost host(dir.path().string(), "host");
  const std::string path = live_files({dir.path().string()}).at(0);
  kill(host.pid(), SIGUSR2);
  // exec keeps the process's number and start; that it is over is seen by its program's name.
  const std::string name = "/proc/" + host.number() + "/comm";
  for (int i = 0; i < 10'000; ++i) {
    std::ifstream comm(name);
    std::string text;
    if (std::getline(comm, text) && text == "sleep") break;
    usleep(1000);
  }
  EXPECT_EQ(report_of(path).state, "lost");
}

TEST(LiveFile, IsKnownByItsInodeWhateverItIsCalled) {
  const TempDir dir;
  LiveHost host(dir.path().string(), "host");
  const std::string path = live_files({dir.path().string()}).at(0);
  // The process's memory map goes on naming the old one.
  std::filesystem::create_hard_link(path, dir.path("1-1.live"));
  std::filesystem::remove(path);
  EXPECT_EQ(report_of(dir.path("1-1.live")).state, "running");
}

TEST(LiveFile, OfAProcessWithAnotherNumberIsNotTakenForIts) {
  const TempDir dir;
  dead_file(dir);
  LiveHost host(dir.path().string(), "host");
  EXPECT_EQ(live_files({dir.path().string()}).size(), 2U);
  EXPECT_EQ(live_files_of(host.pid(), {dir.path().string()}).size(), 1U);
}

TEST(LiveFile, OfAnUsedNumberIsLost) {
  const TempDir dir;
  LiveRegion region;  // our own number, from a process before us
  region->header.pid = static_cast<std::uint32_t>(getpid());
  region->header.pid_namespace = pid_namespace();
  const std::string path =
      test::write_file(dir.path(std::to_string(getpid()) + "-1.live"), region.bytes());
  EXPECT_EQ(report_of(path).state, "lost");
}

TEST(LiveFile, OfAnotherPidNamespaceIsFoundByWhoHasItMapped) {
  const TempDir dir;
  if (geteuid() != 0) GTEST_SKIP() << "only root may make a pid namespace";
  test::Running container({"/usr/bin/unshare", "--pid", "--fork", "--kill-child",
                           test::program_path("live_program"), dir.path().string(), "inner"});
  if (!container.wait_for("ready")) return;
  const std::string path = live_files({dir.path().string()}).at(0);
  EXPECT_NE(path.find("/1-"), std::string::npos) << "there, it is number 1";
  const Report r = report_of(path);
  EXPECT_EQ(r.state, "running");
  EXPECT_GT(r.pid, 1);
  EXPECT_EQ(live_files_of(r.pid, {dir.path().string()}).size(), 1U)
      << "by the number that it has here";
  EXPECT_TRUE(live_files_of(1, {dir.path().string()}).empty());
}

}  // namespace
}  // namespace clockshim::cli
