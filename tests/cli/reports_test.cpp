// Where reports go: those for standard error are shown by `clockshim run`, also of programs that
// close it before they end.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "run_command.h"

namespace clockshim::test {
namespace {

TEST(Reports, OfAProgramThatClosesStandardErrorIsShown) {
  const TempDir folder;
  const Ending ending = run_clockshim({"run", "--", "date"}, {"TMPDIR=" + folder.path().string()});
  EXPECT_EQ(ending.exit_code, 0);
  EXPECT_EQ(count_of(ending.err, ": date["), 1U) << ending.err;
  EXPECT_EQ(folder.files(), 0U) << "the private folder must go";
}

TEST(Reports, OneThatCantBeReadIsNamed) {
  const Ending ending = run_clockshim(
      {"run", "--", "sh", "-c", "echo other > ${CLOCKSHIM_REPORT%/*}/1.json; exec date"});
  EXPECT_EQ(count_of(ending.err, "the report of process 1 "), 1U) << ending.err;
  EXPECT_EQ(count_of(ending.err, ": date["), 1U) << ending.err;
}

TEST(Reports, AreShownWhenTheCommandDiesOrFails) {
  const TempDir folder;
  const Ending ending = run_clockshim({"run", "--", "sh", "-c", "date; kill -9 $$"},
                                      {"TMPDIR=" + folder.path().string()});
  EXPECT_EQ(ending.signal, 9);
  EXPECT_EQ(count_of(ending.err, ": date["), 1U);
  EXPECT_EQ(folder.files(), 0U);
  EXPECT_EQ(run_clockshim({"run", "--", "/nowhere/program"}, {"TMPDIR=" + folder.path().string()})
                .exit_code,
            127);
  EXPECT_EQ(folder.files(), 0U);
}

TEST(Reports, FallBackToStandardErrorWithoutAFolder) {
  const Ending ending =
      run_clockshim({"run", "--", program_path("clock_program"), "often"}, {"TMPDIR=/nowhere"});
  EXPECT_EQ(ending.exit_code, 0);
  EXPECT_EQ(count_of(ending.err, ": clock_program["), 1U) << ending.err;
}

TEST(Reports, FolderWithAPercentInItsName) {
  const TempDir folder;
  std::filesystem::create_directory(folder.path("100%t"));
  const Ending ending = run_clockshim({"run", "--", "date"}, {"TMPDIR=" + folder.path("100%t")});
  EXPECT_EQ(count_of(ending.err, ": date["), 1U) << ending.err;
}

TEST(Reports, NoneIsNone) {
  EXPECT_EQ(run_clockshim({"run", "--report", "none", "--", "date"}).err, "");
}

TEST(Reports, GoToThePathThatWasNamed) {
  const TempDir folder;
  const Ending ending = run_clockshim({"run", "--report", folder.path("%e.json"), "--", "date"});
  EXPECT_EQ(ending.err, "");
  EXPECT_TRUE(content_of(folder.path("date.json")).starts_with("{"));
  // By the environment too, and relative to where we were started.
  EXPECT_EQ(
      run_clockshim({"run", "--", "date"}, {"CLOCKSHIM_REPORT=" + folder.path("by_environment")})
          .err,
      "");
  EXPECT_NE(content_of(folder.path("by_environment")).find(": date["), std::string::npos);
}

// The file that is named before the start may be there no more, or be full, at the end.
TEST(Reports, ThatCantBeWrittenAreShown) {
  const TempDir folder;
  std::filesystem::create_directory(folder.path("gone"));
  const Ending ending = run_clockshim({"run", "--report", folder.path("gone/report"), "sh", "-c",
                                       "date; rmdir " + folder.path("gone")});
  EXPECT_EQ(count_of(ending.err, "gone/report could not be written: No such file"), 1U)
      << ending.err;
  EXPECT_EQ(count_of(ending.err, ": date["), 1U) << ending.err;
  EXPECT_EQ(ending.exit_code, 2) << "a script would look for the file";
  EXPECT_EQ(run_clockshim({"run", "--report", "/dev/null", "date"}).err, "");
  const Ending full = run_clockshim({"run", "--report", "/dev/full", "sh", "-c", "date; date"});
  EXPECT_EQ(full.exit_code, 2);
  EXPECT_EQ(count_of(full.err, "/dev/full could not be written: No space left on device"), 1U)
      << full.err;
}

TEST(Reports, FollowIsTheNamedProgramAlone) {
  const TempDir folder;
  const std::string path = folder.path("%p.txt");
  EXPECT_EQ(run_clockshim({"run", "--follow", "1", "--report", path, "--",
                           program_path("clock_program"), "child"})
                .err,
            "");
  EXPECT_EQ(folder.files(), 2U);
  const TempDir alone;
  const Ending ending = run_clockshim({"run", "--follow", "0", "--report", alone.path("%p.txt"),
                                       "--", program_path("clock_program"), "child"});
  EXPECT_EQ(ending.err, "");
  EXPECT_EQ(alone.files(), 1U);
  // The child of a shell that asks nothing itself.
  EXPECT_EQ(run_clockshim({"run", "--follow", "0", "--", "sh", "-c", "date; true"}).err, "");
}

// Scripts start hundreds of programs that read the clock once or twice.
TEST(Reports, OfFewCallsAreNotWrittenToStandardError) {
  const std::string program = program_path("clock_program");
  const std::string preload = "LD_PRELOAD=" + shim_path();
  EXPECT_EQ(Running({program}, {preload}).finish().err, "");
  const Ending info = Running({program}, {preload, "CLOCKSHIM_LOG=info"}).finish();
  EXPECT_EQ(count_of(info.err, "] asked for the time 1 times; CLOCKSHIM_REPORT=PATH"), 1U)
      << info.err;
  EXPECT_EQ(count_of(Running({program, "often"}, {preload}).finish().err, ": clock_program["), 1U);
  const TempDir folder;
  Running({program}, {preload, "CLOCKSHIM_REPORT=" + folder.path("report")}).finish();
  EXPECT_NE(content_of(folder.path("report")).find(": clock_program["), std::string::npos);
}

// What lives on after the command may start programs whose report's path must still be good: else
// they run unserved.
TEST(Reports, FolderStaysForProcessesThatLiveOn) {
  const TempDir folder;
  Running running({"/bin/bash", "-c",
                   "exec 3<&0; " + command_path() + " run -- " + program_path("clock_program") +
                       " leave <&3 2>" + folder.path("told") + "; echo ended; cat >/dev/null"},
                  {"TMPDIR=" + folder.path().string()});
  ASSERT_TRUE(running.wait_for("ended"));
  const std::string told = content_of(folder.path("told"));
  EXPECT_EQ(count_of(told, ": clock_program["), 1U) << told;
  EXPECT_EQ(count_of(told, " live on; their reports will be in " + folder.path("clockshim-run-")),
            1U)
      << told;
  EXPECT_EQ(folder.files(), 2U);
}

}  // namespace
}  // namespace clockshim::test
