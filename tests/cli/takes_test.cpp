// The shim gets into the command, or `clockshim run` says that it did not. A silent miss looks like
// a shim that does nothing.
#include <elf.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "run_command.h"

namespace clockshim::test {
namespace {

constexpr const char* kRunsWithout = ": the shim can't get in; it runs without\n";

TEST(Takes, LibraryIsInTheCommandAndItsChildren) {
  const Ending ending = run_clockshim(
      {"run", "--report", "none", "--", "sh", "-c",
       "grep -c libclockshim.so /proc/$$/maps; grep -c libclockshim.so /proc/self/maps"});
  EXPECT_EQ(ending.exit_code, 0);
  EXPECT_EQ(count_of(ending.out, "0\n"), 0U) << ending.out;
  EXPECT_EQ(ending.err, "");
}

TEST(Takes, PreloadIsLastAndKeepsWhatIsThere) {
  const Ending ending =
      run_clockshim({"run", "--report", "none", "--", "sh", "-c", "echo $LD_PRELOAD"},
                    {"LD_PRELOAD=libm.so.6 libdl.so.2"});
  EXPECT_EQ(ending.out, "libm.so.6:libdl.so.2:" + shim_path() + "\n");
}

// Into them goes the image (tests/image), and nothing has to be said. What they start gets the
// library, unless there may be programs of musl.
TEST(Takes, StaticProgramTakesTheImage) {
  for (const char* name : {"static_program", "static_pie_program"}) {
    const std::string program = program_path(name);
    const Ending ending = run_clockshim({"run", "--", program});
    EXPECT_EQ(ending.exit_code, 5);
    const bool musl = access("/lib/ld-musl-x86_64.so.1", F_OK) == 0;
    EXPECT_EQ(ending.out, musl ? "ran, LD_PRELOAD is unset\n" : "ran, LD_PRELOAD is set\n");
    EXPECT_EQ(ending.err, "");
  }
}

TEST(Takes, AtInfoTheWayIsTold) {
  const std::string program = program_path("static_program");
  const Ending ending = run_clockshim({"run", "--log", "info", "--", program});
  expect_contains(ending.err,
                  "clockshim: " + program + " is statically linked: served by the image, mode ");
}

TEST(Takes, ScriptOfAStaticInterpreter) {
  const TempDir folder;
  const std::string script =
      folder.file("script", "#!" + program_path("static_program") + "\n", kExecutable);
  const Ending ending = run_clockshim({"run", "--", script});
  EXPECT_EQ(ending.exit_code, 5);
  EXPECT_EQ(ending.err, "");
}

TEST(Takes, ScriptIsShimmed) {
  const TempDir folder;
  const std::string script =
      folder.file("script", "#!/bin/sh\ngrep -q libclockshim.so /proc/$$/maps\n", kExecutable);
  EXPECT_EQ(run_clockshim({"run", "--", script}).exit_code, 0);
}

TEST(Takes, SetuidProgramIsTold) {
  const TempDir folder;
  struct statvfs mount;
  if (geteuid() != 0 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
    GTEST_SKIP() << "needs root that may gain privileges";
  if (statvfs(folder.path().c_str(), &mount) == 0 && (mount.f_flag & ST_NOSUID) != 0)
    GTEST_SKIP() << "mounted nosuid";
  const std::string copy = folder.path("program");
  std::filesystem::copy_file(program_path("clock_program"), copy);
  ASSERT_EQ(chown(copy.c_str(), 65534, 0), 0);
  ASSERT_EQ(chmod(copy.c_str(), 04755), 0);
  ASSERT_EQ(chmod(folder.path().c_str(), 0755), 0);
  const Ending ending = run_clockshim({"run", "--", copy});
  EXPECT_EQ(ending.exit_code, 0);
  EXPECT_EQ(ending.err, "clockshim: " + copy + " runs as another user (setuid)" + kRunsWithout);
}

// Whatever the reason, the map of the running command tells: here the loader refuses a library of
// which only the header is left.
TEST(Takes, LibraryThatDoesNotArriveIsTold) {
  const TempDir folder;
  const std::string library = folder.path("libclockshim.so");
  std::filesystem::copy_file(shim_path(), library);
  std::filesystem::resize_file(library, sizeof(Elf64_Ehdr));
  const Ending ending = run_clockshim({"run", "--report", "none", "--", "sleep", "1.5"},
                                      {"CLOCKSHIM_LIBRARY=" + library});
  EXPECT_EQ(ending.exit_code, 0);
  EXPECT_EQ(count_of(ending.err, "clockshim: sleep (process "), 1U) << ending.err;
  EXPECT_EQ(count_of(ending.err, "has not loaded the shim within a second: it runs without\n"), 1U)
      << ending.err;
}

TEST(Takes, NothingIsSaidOfACommandThatTookIt) {
  EXPECT_EQ(run_clockshim({"run", "--report", "none", "--", "sleep", "1.5"}).err, "");
}

TEST(Takes, LogOffSilencesTheWarning) {
  EXPECT_EQ(run_clockshim({"run", "--log", "off", "--", program_path("static_program")}).err, "");
}

}  // namespace
}  // namespace clockshim::test
