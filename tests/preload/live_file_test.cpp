// Why: daemons are killed, fork, call exec and _exit, close what they do not know, and shut
// themselves in. What they have asked until then is in their live files, to the last call; and a
// folder that is not what it should be costs the live file, not the host.
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <unistd.h>

#include "live_counts.h"

namespace clockshim::test {
namespace {

namespace fs = std::filesystem;

// A process that calls exec says its calls once for each program that it was.
std::map<long, long> said_by_process(const HostRun& run) {
  std::map<long, long> said;
  for (const std::string& line : lines_of(run.out)) {
    long pid = 0;
    long calls = 0;
    if (std::sscanf(line.c_str(), "calls %ld %ld", &pid, &calls) == 2) said[pid] += calls;
  }
  return said;
}

// The rights to the memory that a link names.
unsigned mode_of_segment(const fs::path& link) {
  int id = -1;
  shmid_ds info{};
  EXPECT_EQ(std::sscanf(fs::read_symlink(link).c_str(), "/proc/clockshim/%d-", &id), 1) << link;
  EXPECT_EQ(shmctl(id, IPC_STAT, &info), 0) << link;
  return info.shm_perm.mode & 0777U;
}

class LiveFile : public testing::TestWithParam<std::pair<std::string, std::size_t>> {
 protected:
  TempDir home_;
  fs::path folder_ = home_.path() / "live";
  HostRun leave(const std::string& how, const std::string& folder) {
    return run_host("leaves", {.arguments = {how}, .environment = {{"CLOCKSHIM_DIR", folder}}});
  }
};

TEST_P(LiveFile, HoldsEachCallOfAProcessThatGoesWithoutAWord) {
  const auto& [how, files] = GetParam();
  if (how == "chroot" && geteuid() != 0) GTEST_SKIP() << "chroot needs root";
  const HostRun run = leave(how, folder_);
  EXPECT_EQ(run.ending(), how == "kill" ? "signal 9" : "exit 0") << run.out << run.err;
  const auto said = said_by_process(run);
  ASSERT_FALSE(said.empty());
  const LeftBehind left = left_in(folder_);
  if (how == "tree") {  // a child by raw clone may count in its parent's file
    EXPECT_EQ(sum_of(left.calls), sum_of(said));
    EXPECT_LE(left.files, files);
    EXPECT_GE(left.files, 8U) << "of the first process and of the children by fork()";
  } else {
    EXPECT_EQ(left.calls, said);
    EXPECT_EQ(left.files, files);
  }
  for (const Json& report : left.reports) {
    EXPECT_EQ(report.at("state"), "lost") << "nothing said that it ended";
    EXPECT_EQ(report.at("dropped"), 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Ways, LiveFile,
                         testing::Values(std::pair{"_exit", 1}, std::pair{"starved-child", 2},
                                         std::pair{"kill", 1}, std::pair{"exec", 5},
                                         std::pair{"exec-silent", 2}, std::pair{"tree", 15},
                                         std::pair{"churn", 1}, std::pair{"crowd", 1},
                                         std::pair{"closed", 1}, std::pair{"chroot", 1},
                                         std::pair{"strict", 1}),
                         [](const auto& way) {
                           std::string name = way.param.first;
                           for (char& c : name)
                             c = std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
                           return name;
                         });

TEST_F(LiveFile, IsForItsOwnerAlone) {
  leave("_exit", folder_);
  EXPECT_EQ(fs::status(folder_).permissions(), fs::perms::owner_all);
  for (const auto& entry : fs::directory_iterator(folder_))
    EXPECT_EQ(mode_of_segment(entry), 0600U) << entry.path();
}

TEST_F(LiveFile, GoesWhenItsReportWasTold) {
  const HostRun run =
      run_host("asks", {.environment = {{"CLOCKSHIM_DIR", folder_}}, .report = true});
  EXPECT_EQ(run.ending(), "exit 7") << run.err;
  ASSERT_EQ(run.reports.size(), 1U);
  EXPECT_EQ(run.reports.begin()->second["state"], "ended");
  EXPECT_EQ(left_in(folder_).files, 0U);
}

// The host counts and reports as ever, and one line says what is wrong with the folder.
void expect_no_file(const HostRun& run, const std::string& why) {
  EXPECT_EQ(run.ending(), "exit 7") << run.out << run.err;
  ASSERT_EQ(run.reports.size(), 1U) << run.err;
  EXPECT_EQ(calls_in_all(run.reports.begin()->second), 10000);
  EXPECT_NE(run.err.find(why), std::string::npos) << run.err;
  EXPECT_EQ(lines_of(run.err).size(), 1U) << run.err;
}

TEST_F(LiveFile, IsNotMadeInAFolderThatOthersMayWriteTo) {
  fs::create_directory(folder_);
  fs::permissions(folder_, fs::perms::all);
  expect_no_file(run_host("asks", {.environment = {{"CLOCKSHIM_DIR", folder_}}, .report = true}),
                 "no live file: " + folder_.string() + ": may be written to by others");
  EXPECT_EQ(left_in(folder_).files, 0U);
}

TEST_F(LiveFile, IsNotMadeThroughALink) {
  fs::create_directory(home_.path() / "elsewhere");
  fs::create_directory_symlink(home_.path() / "elsewhere", folder_);
  expect_no_file(run_host("asks", {.environment = {{"CLOCKSHIM_DIR", folder_}}, .report = true}),
                 folder_.string() + ": is not a folder");
  EXPECT_TRUE(fs::is_empty(home_.path() / "elsewhere"));
}

TEST_F(LiveFile, IsNotMadeInSomebodyElsesFolder) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can give a folder away";
  fs::create_directory(folder_);
  ASSERT_EQ(chown(folder_.c_str(), 12345, 12345), 0);
  expect_no_file(run_host("asks", {.environment = {{"CLOCKSHIM_DIR", folder_}}, .report = true}),
                 folder_.string() + ": belongs to another user");
}

TEST_F(LiveFile, IsNotMadeWhereNothingCanBeMade) {
  expect_no_file(
      run_host("asks", {.environment = {{"CLOCKSHIM_DIR", "/proc/clockshim"}}, .report = true}),
      "no live file: /proc/clockshim: ");
}

// Segments are the whole machine's: none left, and the host counts and reports as ever, full stacks
// too.
TEST_F(LiveFile, IsNotMadeWhereThereAreNoSegments) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can make an IPC namespace of its own";
  const std::string script = "echo 0 >/proc/sys/kernel/shmmni; exec \"$0\"";
  for (const std::string profile : {"sites", "stacks:1"}) {
    const HostRun run =
        run_host("/usr/bin/unshare",
                 {.arguments = {"--ipc", "sh", "-c", script, host_path("asks")},
                  .environment = {{"CLOCKSHIM_DIR", folder_}, {"CLOCKSHIM_PROFILE", profile}},
                  .report = true});
    EXPECT_EQ(run.ending(), "exit 7") << run.out << run.err;
    ASSERT_EQ(run.reports.size(), 1U) << run.err;
    EXPECT_EQ(calls_in_all(run.reports.begin()->second), 10000);
    EXPECT_NE(run.err.find("asks: no live file: no shared memory: No space left on device"),
              std::string::npos)
        << run.err;
  }
}

class SmallFileSystem : public LiveFile {
 protected:
  void SetUp() override {
    fs::create_directory(folder_);
    mounted_ = geteuid() == 0 &&
               mount("tmpfs", folder_.c_str(), "tmpfs", 0, "size=256k,nr_inodes=1,mode=0700") == 0;
    if (!mounted_) GTEST_SKIP() << "needs root, and the right to mount";
  }
  void TearDown() override {
    if (mounted_) umount(folder_.c_str());
  }
  bool mounted_ = false;
};

TEST_F(SmallFileSystem, ThatIsTooSmallCostsTheFileAndNotTheHost) {
  expect_no_file(run_host("asks", {.environment = {{"CLOCKSHIM_DIR", folder_}}, .report = true}),
                 folder_.string() + ": No space left on device");
  EXPECT_EQ(left_in(folder_).files, 0U);
}

TEST_F(SmallFileSystem, ThatIsReadOnly) {
  ASSERT_EQ(mount(nullptr, folder_.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr), 0);
  expect_no_file(run_host("asks", {.environment = {{"CLOCKSHIM_DIR", folder_}}, .report = true}),
                 folder_.string() + ": Read-only file system");
}

// One start in sixteen looks for them: that none of 160 does happens once in 30,000 times.
TEST_F(LiveFile, FilesOfProcessesThatAreGoneDoNotPileUp) {
  for (int i = 0; i < 240; ++i) leave("_exit", folder_);
  EXPECT_LE(left_in(folder_).files, 64U + 160U);
  EXPECT_GE(left_in(folder_).files, 64U) << "and not one more than has to go";
}

}  // namespace
}  // namespace clockshim::test
