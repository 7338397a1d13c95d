// Why: a container gets 64 MB of /dev/shm, and PostgreSQL, with a process for each connection,
// wants them for itself. What is counted takes room by its use, and what processes leave behind is
// bounded, however many come and go.
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <fstream>

#include "live_counts.h"

namespace clockshim::test {
namespace {

namespace fs = std::filesystem;

constexpr int kCrowd = 120;
constexpr long kMostRoom = 2'000'000;              // in the file system, for all of them
constexpr long kMostShared = kCrowd * (32 << 10);  // in segments of shared memory

void expect_little_room(const HostRun& run) {
  EXPECT_EQ(run.ending(), "exit 7") << run.out << run.err;
  for (const auto& [pid, room] : numbers_by_process(run, "room")) EXPECT_LT(room, kMostRoom);
  for (const auto& [pid, room] : numbers_by_process(run, "shared")) EXPECT_LT(room, kMostShared);
}

class ManyChildren : public testing::Test {
 protected:
  HostRun host(const std::string& what, int number, bool shim = true) const {
    return run_host("many_children", {.arguments = {board_.path(), what, std::to_string(number)},
                                      .environment = {{"CLOCKSHIM_DIR", folder_}},
                                      .shim = shim,
                                      .report = true});
  }
  TempDir home_;
  fs::path folder_ = home_.path() / "live";
  BoardFile board_{home_.path() / "board"};
};

TEST_F(ManyChildren, ThatEndWithoutAWordDoNotPileUp) {
  const HostRun run = host("leave", 500);
  EXPECT_EQ(run.ending(), "exit 7") << run.out << run.err;
  EXPECT_LE(names_in(folder_).size(), 64U + 16U);
  EXPECT_EQ(board_->calls, 500 * 20);
}

TEST_F(ManyChildren, ThatReportLeaveNothing) {
  const HostRun run = host("exit", 100);
  EXPECT_EQ(run.ending(), "exit 7") << run.out << run.err;
  EXPECT_EQ(calls_accounted_for(run, folder_), board_->calls);
  EXPECT_EQ(names_in(folder_), std::vector<std::string>{});
}

TEST_F(ManyChildren, ThatNeverAskLeaveNothing) {
  for (const std::string what : {"silent", "programs", "cleared"}) {
    const HostRun run = host(what, 300);
    EXPECT_EQ(run.ending(), "exit 7") << run.out << run.err;
    EXPECT_EQ(names_in(folder_), std::vector<std::string>{}) << what;
  }
  EXPECT_EQ(board_->calls, 2 * 1000);
}

// With a small file system of its own, and an ipc namespace, so that nobody else's memory is
// counted. Both belong to this test's process from then on.
class SmallMachine : public ManyChildren {
 protected:
  static void SetUpTestSuite() {
    alone_ = geteuid() == 0 && unshare(CLONE_NEWNS | CLONE_NEWIPC) == 0 &&
             mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
  }
  void SetUp() override {
    if (!alone_) GTEST_SKIP() << "needs root, and the right to unshare";
  }
  static bool mount_at(const fs::path& folder, const char* options) {
    return mount("tmpfs", folder.c_str(), "tmpfs", 0, options) == 0;
  }
  static long segments() {
    std::ifstream list("/proc/sysvipc/shm");
    long lines = -1;  // the heading
    for (std::string line; std::getline(list, line);) ++lines;
    return lines;
  }
  static bool alone_;
};
bool SmallMachine::alone_ = false;

TEST_F(SmallMachine, FolderOf64MegabytesHasRoomForOthers) {
  fs::create_directory(folder_);
  ASSERT_TRUE(mount_at(folder_, "size=64m,mode=0700"));
  const HostRun run = host("crowd", kCrowd);
  expect_little_room(run);
  EXPECT_EQ(calls_accounted_for(run, folder_), board_->calls);
  umount2(folder_.c_str(), MNT_DETACH);
}

TEST_F(SmallMachine, SharedMemoryOf64MegabytesHasRoomForOthers) {
  ASSERT_TRUE(mount_at("/dev/shm", "size=64m,mode=01777"));
  const HostRun run =
      run_host("many_children",
               {.arguments = {board_.path(), "crowd", std::to_string(kCrowd)}, .report = true});
  expect_little_room(run);
  const std::string folder = "/dev/shm/clockshim-" + std::to_string(geteuid());
  EXPECT_EQ(calls_accounted_for(run, folder), board_->calls);
  umount2("/dev/shm", MNT_DETACH);
}

TEST_F(SmallMachine, NoSegmentIsLeftWithoutAName) {
  for (const std::string what : {"leave", "exit", "silent", "programs", "cleared", "crowd"}) {
    const HostRun run = host(what, 60);
    EXPECT_EQ(run.ending(), "exit 7") << run.out << run.err;
    EXPECT_LE(segments(), static_cast<long>(names_in(folder_).size())) << what;
  }
}

}  // namespace
}  // namespace clockshim::test
