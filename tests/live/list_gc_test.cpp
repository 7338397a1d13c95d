// `clockshim list` and `clockshim gc`, on folders with the living, the dead, and what was planted
// there.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utime.h>

#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "live/region.h"
#include "live/segment.h"
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

// What a terminal has no room for stands below, and is not cut: a path that is is none.
TEST(List, IsAsWideAsTheTerminal) {
  const TempDir dir;
  const std::string name = "a-program-" + std::string(50, 'n');
  LiveHost host(dir.path().string(), name);
  const std::string file = dir.path(host.number() + "-");
  for (const std::size_t columns : {60, 72, 80, 200}) {
    const Ending ending = run_on_terminal(columns, {"list", "--dir", dir.path().string()});
    ASSERT_EQ(ending.exit_code, 0) << ending.out;
    EXPECT_LE(widest_line(ending.out), columns) << ending.out;
    EXPECT_NE(ending.out.find(file), std::string::npos) << ending.out;
    EXPECT_NE(line_with(ending.out, "a-pr").find(" running "), std::string::npos) << ending.out;
    EXPECT_EQ(line_with(ending.out, " running ").find(file) != std::string::npos, columns == 200)
        << ending.out;
    EXPECT_EQ(ending.out.find(name) != std::string::npos, columns == 200) << ending.out;
  }
  const std::string in_a_file = run_clockshim({"list", "--dir", dir.path().string()}).out;
  EXPECT_NE(line_with(in_a_file, name).find(file), std::string::npos) << in_a_file;
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

// A segment that no process has attached, and whose link can't be found here.
live::Segment orphan(std::uint64_t paths_seen) {
  live::Segment segment;
  int error = 0;
  void* const address = live::make_segment(live::kSizeWithFewNames, live::own_ipc_namespace(),
                                           nullptr, segment, error);
  EXPECT_NE(address, nullptr) << std::strerror(error);
  live::Header header{};
  header.token = segment.token;
  header.paths_seen = paths_seen;
  live::begin_region(*static_cast<live::Region*>(address), header, live::kSizeWithFewNames);
  std::strcpy(static_cast<live::Region*>(address)->header.link, "/nowhere/at/all/1-1.live");
  live::detach_segment(address);
  return segment;
}

// Containers and chroots may share the machine's segments, but not its paths.
TEST(Gc, RemovesSegmentsWhoseFolderIsGoneButNoneWhoseFolderCanNotBeSeenFromHere) {
  const TempDir dir;
  const live::Segment gone = orphan(live::own_paths_seen());
  const live::Segment elsewhere = orphan(live::own_paths_seen() ^ 2);
  EXPECT_NE(run_clockshim({"gc", "--dir", dir.path().string()}).out.find("gave back "),
            std::string::npos);
  EXPECT_FALSE(live::facts_of(gone).there);
  EXPECT_TRUE(live::facts_of(elsewhere).there);
  live::remove_segment(elsewhere);
}

// It is the same for two processes, but not for one that has another root.
TEST(Gc, WhatPathsMeanIsTheSameHereAndAnotherUnderAnotherRoot) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can change its root";
  const TempDir dir;
  const std::uint64_t here = live::own_paths_seen();
  EXPECT_EQ(live::own_paths_seen(), here);
  const pid_t child = fork();
  if (child == 0) {
    const bool same = live::own_paths_seen() == here;
    const bool changed = chroot(dir.path().c_str()) == 0 && chdir("/") == 0;
    _exit(!same ? 1 : !changed ? 2 : live::own_paths_seen() == here ? 3 : 0);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
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
