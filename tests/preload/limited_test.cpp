// Why: what the library does to files must not come back as a signal. A file that may not grow
// (RLIMIT_FSIZE) is SIGXFSZ for whoever writes to it, and a page that is gone from under a mapping
// is SIGBUS for whoever counts there. Under a limit, and with a folder that somebody empties, fills
// or takes away, the host ends as it does bare.
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include "live_counts.h"

namespace clockshim::test {
namespace {

namespace fs = std::filesystem;

class Limited : public testing::Test {
 protected:
  // Bare and shimmed: the same end, and what the children's ends were.
  HostRun expect_as_bare(const std::vector<std::string>& what, bool report) {
    const BoardFile bare_board(home_.path() / "bare");
    const BoardFile board(home_.path() / "shimmed");
    const HostRun bare = host(bare_board, what, false, report);
    EXPECT_EQ(bare.ending(), "exit 7") << bare.out;
    EXPECT_EQ(bare_board->status, 0);
    reset();
    HostRun run = host(board, what, true, report);
    EXPECT_EQ(run.ending(), bare.ending()) << run.out << run.err;
    EXPECT_EQ(board->status, 0) << "a child's end";
    EXPECT_EQ(run.out, "");
    calls_ = board->calls;
    return run;
  }
  HostRun host(const BoardFile& board, const std::vector<std::string>& what, bool shim,
               bool report) const {
    std::vector<std::string> arguments{board.path()};
    arguments.insert(arguments.end(), what.begin(), what.end());
    return run_host("limited", {.arguments = arguments,
                                .environment = {{"CLOCKSHIM_DIR", folder_}},
                                .shim = shim,
                                .report = report});
  }
  void expect_no_empty_file() const {
    for (const std::string& name : names_in(folder_)) {
      std::error_code link;
      if (fs::is_symlink(folder_ / name)) continue;
      EXPECT_NE(fs::file_size(folder_ / name, link), 0U) << name << " is empty";
    }
  }
  virtual void reset() {}

  TempDir home_;
  fs::path folder_ = home_.path() / "live";
  long calls_ = 0;
};

// What no report told, because it could not be written, stays to be read.
TEST_F(Limited, FilesOfAProcessThatMayNotWriteAny) {
  for (const std::string bytes : {"0", "1", "4096", "100000"}) {
    for (const std::string what :
         {"limits-itself", "child-limits-itself", "child-is-limited", "grandchild"}) {
      SCOPED_TRACE(what + " " + bytes);
      const HostRun run = expect_as_bare({what, bytes}, true);
      expect_no_empty_file();
      EXPECT_EQ(calls_accounted_for(run, folder_), calls_) << run.err;
      fs::remove_all(folder_);
      fs::remove(home_.path() / "bare");
      fs::remove(home_.path() / "shimmed");
    }
  }
}

// A limit that was there before the start, as a shell or a unit sets it.
TEST_F(Limited, FilesFromTheStart) {
  for (const std::string blocks : {"0", "1", "100", "500"}) {
    SCOPED_TRACE("ulimit -f " + blocks);
    for (const bool shim : {false, true}) {
      const HostRun run = run_host(
          "/bin/sh", {.arguments = {"-c", "ulimit -c 0; ulimit -f " + blocks + "; /bin/true"},
                      .environment = {{"CLOCKSHIM_DIR", folder_}},
                      .shim = shim});
      EXPECT_EQ(run.ending(), "exit 0") << (shim ? "shimmed" : "bare") << run.err;
    }
    const HostRun date = run_host(
        "/bin/sh", {.arguments = {"-c", "ulimit -c 0; ulimit -f " + blocks + "; date >/dev/null"},
                    .environment = {{"CLOCKSHIM_DIR", folder_}}});
    EXPECT_EQ(date.ending(), "exit 0") << date.err;
    expect_no_empty_file();
  }
}

class Spoilt : public Limited, public testing::WithParamInterface<std::string> {};

TEST_P(Spoilt, FolderIsNotTheHostsTrouble) {
  const std::string& how = GetParam();
  const HostRun run = expect_as_bare({"spoilt", how}, true);
  // Reports are told as ever, whatever became of the folder.
  long told = 0;
  for (const auto& [pid, report] : run.reports) told += calls_in_all(report);
  EXPECT_EQ(told, calls_) << run.err;
  EXPECT_EQ(run.reports.size(), 3U) << run.err;
  std::error_code error;
  fs::permissions(folder_, fs::perms::owner_all, error);
}

INSTANTIATE_TEST_SUITE_P(Ways, Spoilt,
                         testing::Values("open", "truncate", "remove", "remove-folder", "chmod"),
                         [](const auto& how) {
                           std::string name = how.param;
                           for (char& c : name) c = c == '-' ? '_' : c;
                           return name;
                         });

class SpoiltFileSystem : public Spoilt {
 protected:
  void SetUp() override {
    fs::create_directory(folder_);
    mounted_ = geteuid() == 0 && do_mount();
    if (!mounted_) GTEST_SKIP() << "needs root, and the right to mount";
  }
  void TearDown() override {
    if (mounted_) umount2(folder_.c_str(), MNT_DETACH);
  }
  void reset() override {
    umount2(folder_.c_str(), MNT_DETACH);
    mounted_ = do_mount();
  }
  [[nodiscard]] bool do_mount() const {
    return mount("tmpfs", folder_.c_str(), "tmpfs", 0, "size=4m,mode=0700") == 0;
  }
  bool mounted_ = false;
};

TEST_P(SpoiltFileSystem, IsNotTheHostsTrouble) {
  const HostRun run = expect_as_bare({"spoilt", GetParam()}, true);
  long told = 0;
  for (const auto& [pid, report] : run.reports) told += calls_in_all(report);
  EXPECT_EQ(told, calls_) << run.err;
}

INSTANTIATE_TEST_SUITE_P(Ways, SpoiltFileSystem, testing::Values("read-only", "fill"),
                         [](const auto& how) {
                           return how.param == "fill" ? std::string("fill") : "read_only";
                         });

}  // namespace
}  // namespace clockshim::test
