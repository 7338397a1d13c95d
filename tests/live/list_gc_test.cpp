// `clockshim list` and `clockshim gc`, on folders with the living, the dead, and what was planted
// there.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utime.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "live_host.h"

namespace clockshim::test {
namespace {

TEST(List, HasALineAFile) {
  const TempDir dir;
  dead_file(dir);
  LiveHost host(dir.path().string(), "some\x1b[31m-host");
  const Ending ending = run_clockshim({"list", "--dir", dir.path().string()});
  EXPECT_EQ(ending.exit_code, 0);
  EXPECT_EQ(ending.err, "");
  const std::string running = line_with(ending.out, host.number() + "-");
  EXPECT_NE(running.find("running"), std::string::npos) << ending.out;
  EXPECT_NE(running.find("some?[31m-host"), std::string::npos) << ending.out;
  EXPECT_NE(running.find("coherent"), std::string::npos) << ending.out;
  const std::string lost = line_with(ending.out, "-1a2b.live");
  EXPECT_NE(lost.find("lost"), std::string::npos) << ending.out;
  EXPECT_NE(lost.find(" 77 "), std::string::npos) << ending.out;
  EXPECT_EQ(count_of(ending.out, "\n"), 3U);
}

TEST(List, IsJsonForPrograms) {
  const TempDir dir;
  LiveHost host(dir.path().string(), "host");
  const Ending ending = run_clockshim({"list", "--json"}, {"CLOCKSHIM_DIR=" + dir.path().string()});
  const auto json = nlohmann::json::parse(ending.out);
  ASSERT_EQ(json["files"].size(), 1U);
  const auto& file = json["files"][0];
  EXPECT_EQ(file["pid"], host.pid());
  EXPECT_EQ(file["state"], "running");
  EXPECT_GT(file["calls"], 0);
  EXPECT_EQ(file["file"].get<std::string>().find(dir.path().string() + "/" + host.number() + "-"),
            0U)
      << file["file"];
}

TEST(List, SaysWhatItCantRead) {
  const TempDir dir;
  dir.file("1-1.live", "garbage", kPlain);
  const Ending ending = run_clockshim({"list", "--dir", dir.path().string()});
  EXPECT_EQ(ending.exit_code, 0);
  EXPECT_EQ(ending.err, "clockshim: " + dir.path("1-1.live") + ": is no live file\n" +
                            "clockshim: no live files in " + dir.path().string() + "\n");
  EXPECT_EQ(run_clockshim({"list", "--dir", dir.path("missing")}).exit_code, 0);
  EXPECT_EQ(run_clockshim({"list", "nonsense"}).exit_code, 2);
}

TEST(Gc, RemovesTheDeadAndOnlyThem) {
  const TempDir dir;
  const std::string dead = dead_file(dir);
  LiveHost host(dir.path().string(), "host");
  const Ending rehearsal = run_clockshim({"gc", "--dry-run", "--dir", dir.path().string()});
  EXPECT_NE(rehearsal.out.find(dead + "\nwould remove 1 file, "), std::string::npos)
      << rehearsal.out;
  EXPECT_TRUE(std::filesystem::exists(dead));
  const Ending ending = run_clockshim({"gc", "--dir", dir.path().string()});
  EXPECT_EQ(ending.exit_code, 0);
  EXPECT_EQ(ending.out.find("removed 1 file, "), 0U) << ending.out;  // more than a million bytes
  EXPECT_NE(ending.out.find("1 kept"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(dead));
  EXPECT_EQ(dir.files(), 1U);
  EXPECT_EQ(run_clockshim({"gc", "--dir", dir.path().string()})
                .out.find("removed 0 files, 0 bytes; 1 kept"),
            0U);
}

TEST(Gc, LeavesWhatIsNoLiveFile) {
  const TempDir dir;
  const TempDir elsewhere;
  const std::string target = dead_file(elsewhere);
  std::filesystem::create_symlink(target, dir.path("1-1.live"));
  std::filesystem::create_directory(dir.path("1-2.live"));
  ASSERT_EQ(mkfifo(dir.path("1-3.live").c_str(), 0600), 0);
  dir.file("1-4.live", "precious", kPlain);
  dir.file("thesis.txt", "precious", kPlain);
  std::filesystem::copy_file(target, dir.path("copy-of-a-live-file"));
  std::filesystem::copy_file(target, dir.path("1-5.live"));
  std::filesystem::resize_file(dir.path("1-5.live"), 9000);
  const Ending ending = run_clockshim({"gc", "--dir", dir.path().string()});
  EXPECT_EQ(ending.exit_code, 0);
  EXPECT_NE(ending.out.find("removed 0 files"), std::string::npos) << ending.out;
  for (const char* name : {"1-1.live", "1-2.live", "1-3.live", "1-4.live", "1-5.live", "thesis.txt",
                           "copy-of-a-live-file"})
    EXPECT_TRUE(std::filesystem::exists(std::filesystem::symlink_status(dir.path(name)))) << name;
  EXPECT_TRUE(std::filesystem::exists(target));
  EXPECT_NE(ending.err.find("1-4.live: is no live file; it stays"), std::string::npos)
      << ending.err;
}

// Half made, by the process of this number. `old`: a minute or more. By its change time too: that
// can't be set, so none is old here.
void temporary(const TempDir& dir, const std::string& name, const std::string& content) {
  dir.file(name, content, kPlain);
}

TEST(Gc, LeavesTemporaryFilesThatMayBeInTheMaking) {
  const TempDir dir;
  temporary(dir, "." + std::to_string(dead_pid()) + "-1a", std::string(8192, '\0'));
  EXPECT_NE(run_clockshim({"gc", "--dir", dir.path().string()}).out.find("removed 0 files"),
            std::string::npos);
  EXPECT_TRUE(std::filesystem::exists(dir.path().string()));
}

TEST(Gc, RemovesTemporaryFilesThatWereLeftBehind) {
  const TempDir dir;
  const std::string number = std::to_string(dead_pid());
  temporary(dir, "." + number + "-1a", std::string(8192, '\0'));
  temporary(dir, "." + number + "-1b", std::string(8192, 'x'));
  temporary(dir, "." + std::to_string(getpid()) + "-1c", std::string(8192, '\0'));
  temporary(dir, ".bashrc", std::string(8192, '\0'));
  const std::time_t long_ago = std::time(nullptr) - 61;
  for (const auto& entry : std::filesystem::directory_iterator(dir.path().string())) {
    const utimbuf times{long_ago, long_ago};
    ASSERT_EQ(utime(entry.path().c_str(), &times), 0);
  }
  const Ending ending = run_clockshim({"gc", "--dir", dir.path().string()});
  EXPECT_EQ(ending.out.find("removed 2 files, "), 0U) << ending.out;
  EXPECT_FALSE(std::filesystem::exists(dir.path("." + number + "-1a")));
  EXPECT_TRUE(std::filesystem::exists(dir.path("." + number + "-1b"))) << "holds something else";
  EXPECT_TRUE(std::filesystem::exists(dir.path(".bashrc")));
}

}  // namespace
}  // namespace clockshim::test
