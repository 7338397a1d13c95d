// Why: a daemon that root starts runs its workers as somebody else, and their files stand in that
// user's folder: root is shown them all. But anybody may make a folder of such a name.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/livefiles/live_folders.h"
#include "live_host.h"

namespace clockshim::test {
namespace {

namespace fs = std::filesystem;
using cli::folders_in;

constexpr uid_t kOther = 54321;

TEST(LiveFolders, OwnIsThereWhetherOrNot) {
  const TempDir parent;
  EXPECT_EQ(folders_in(parent.path().string(), 7), cli::Folders{parent.path("clockshim-7")});
  EXPECT_EQ(folders_in(parent.path("missing"), 7),
            cli::Folders{parent.path("missing/clockshim-7")});
}

TEST(LiveFolders, OthersOnlyWhereTheyAreWhatTheySay) {
  const TempDir parent;
  const auto me = std::to_string(geteuid());
  fs::create_directory(parent.path("clockshim-" + me));
  fs::create_directory(
      parent.path("clockshim-" + std::to_string(geteuid() + 1)));  // not that user's
  fs::create_directory(parent.path("clockshim-0" + me));
  fs::create_directory(parent.path("clockshim-"));
  fs::create_directory(parent.path("clockshim-" + me + "x"));
  const uid_t own = geteuid() + 2;
  const std::string first = parent.path("clockshim-" + std::to_string(own));
  EXPECT_EQ(folders_in(parent.path().string(), own),
            (cli::Folders{first, parent.path("clockshim-" + me)}));
  fs::rename(parent.path("clockshim-" + me), parent.path("elsewhere"));
  fs::create_directory_symlink(parent.path("elsewhere"), parent.path("clockshim-" + me));
  EXPECT_EQ(folders_in(parent.path().string(), own), cli::Folders{first}) << "a link";
}

TEST(LiveFolders, OfAllAreOnlyTheOneThatWasNamed) {
  EXPECT_EQ(cli::live_folders_of_all("/somewhere"), cli::Folders{"/somewhere"});
  EXPECT_EQ(cli::live_folders_of_all("").front(), cli::live_folders("").front()) << "our own first";
}

TEST(LiveFolders, AreLookedUpAgainFromTimeToTimeOnly) {
  int looks = 0;
  cli::CurrentFolders folders([&] { return cli::Folders{std::to_string(++looks)}; });
  EXPECT_EQ(folders.get(), cli::Folders{"1"});
  EXPECT_EQ(folders.get(), cli::Folders{"1"});
}

// In the real place, because that is where root looks.
class OtherUsersFolder : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "only root is shown the folders of others";
    fs::create_directory(folder_);
    ASSERT_EQ(chown(folder_.c_str(), kOther, kOther), 0);
    ASSERT_EQ(chmod(folder_.c_str(), 0700), 0);
    const std::string made = dead_file(made_in_);
    path_ = folder_ + made.substr(made.rfind('/'));
    fs::copy_file(made, path_);
    pid_ = fs::path(path_).filename().string().substr(
        0, fs::path(path_).filename().string().find('-'));
    unsetenv("CLOCKSHIM_DIR");
  }
  ~OtherUsersFolder() override {
    std::error_code ignored;
    if (geteuid() == 0) fs::remove_all(folder_, ignored);
  }

  const std::string folder_ = "/dev/shm/clockshim-" + std::to_string(kOther);
  TempDir made_in_;
  std::string path_;
  std::string pid_;
};

TEST_F(OtherUsersFolder, IsSeenByRoot) {
  const Ending listed = run_clockshim({"list", "--json"});
  EXPECT_NE(listed.out.find(path_), std::string::npos) << listed.out;
  const Ending collected = run_clockshim({"gc", "--dry-run"});
  EXPECT_NE(line_with(collected.out, path_), "") << collected.out;
  const Ending told = run_clockshim({"report", pid_});
  EXPECT_EQ(told.exit_code, 0) << told.err;
  EXPECT_NE(told.out.find("calls 77 "), std::string::npos) << told.out;
}

TEST_F(OtherUsersFolder, IsNotLookedAtWhereAFolderIsNamed) {
  const TempDir named;
  EXPECT_EQ(
      run_clockshim({"list", "--json"}, {"CLOCKSHIM_DIR=" + named.path().string()}).out.find(path_),
      std::string::npos);
  EXPECT_EQ(run_clockshim({"list", "--json", "--dir", named.path().string()}).out.find(path_),
            std::string::npos);
  const Ending told = run_clockshim({"report", pid_}, {"CLOCKSHIM_DIR=" + named.path().string()});
  EXPECT_EQ(told.exit_code, 2);
  EXPECT_NE(told.err.find("in " + named.path().string()), std::string::npos) << told.err;
}

}  // namespace
}  // namespace clockshim::test
