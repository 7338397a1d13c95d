// `clockshim run` ends as its command ends: scripts and service managers must not see the
// difference.
#include <gtest/gtest.h>

#include <csignal>

#include "run_command.h"

namespace clockshim::test {
namespace {

Ending run(const std::vector<std::string>& command) {
  std::vector<std::string> arguments = {"run", "--"};
  arguments.insert(arguments.end(), command.begin(), command.end());
  return run_clockshim(arguments);
}

TEST(Status, IsTheCommands) {
  EXPECT_EQ(run({"true"}).exit_code, 0);
  EXPECT_EQ(run({"sh", "-c", "exit 3"}).exit_code, 3);
  EXPECT_EQ(run({"sh", "-c", "exit 255"}).exit_code, 255);
}

// As of each command's output; but how its command has failed matters more.
TEST(Status, LostSummaryIsAnError) {
  const auto with_stderr = [](const std::string& where, const std::string& command) {
    return Running({"/bin/sh", "-c", command_path() + " run " + command + " 2>" + where})
        .finish()
        .exit_code;
  };
  EXPECT_EQ(with_stderr("/dev/full", "date"), 2);
  EXPECT_EQ(with_stderr("/dev/full", "--report none date"), 0);
  EXPECT_EQ(with_stderr("/dev/full", "date --no-such-option"), 1);
  EXPECT_EQ(with_stderr("&-", "date"), 0) << "a service without one";
}

TEST(Status, ArgumentsArriveAsGiven) {
  EXPECT_EQ(run({"printf", "<%s>", "a b", "", "--", "--tolerance", "-h", "*"}).out,
            "<a b><><--><--tolerance><-h><*>");
}

TEST(Status, NoSuchCommandIs127) {
  const Ending ending = run({"clockshim-no-such-command"});
  EXPECT_EQ(ending.exit_code, 127);
  EXPECT_EQ(ending.err, "clockshim: clockshim-no-such-command: command not found\n");
  EXPECT_EQ(run({"/nowhere/program"}).exit_code, 127);
}

// As a shell has it, though exec says "Permission denied" of what is in no folder that it may
// enter.
TEST(Status, PathWithAFolderThatMayNotBeEntered) {
  const TempDir folder;
  const std::string plain = folder.file("not-a-folder", "", kPlain);
  EXPECT_EQ(
      run_clockshim({"run", "--", "clockshim-no-such-command"}, {"PATH=" + plain + ":/usr/bin"})
          .exit_code,
      127);
  const std::string file = folder.file("present", "", kPlain);
  EXPECT_EQ(run_clockshim({"run", "--", "present"}, {"PATH=" + folder.path().string()}).exit_code,
            126);
}

TEST(Status, NotExecutableIs126) {
  const TempDir folder;
  const std::string plain = folder.file("plain", "hello", kPlain);
  const Ending ending = run({plain});
  EXPECT_EQ(ending.exit_code, 126);
  EXPECT_EQ(ending.err, "clockshim: " + plain + ": Permission denied\n");
  EXPECT_EQ(run({folder.path()}).exit_code, 126);
}

TEST(Status, InterpreterThatIsNotThereIs126AndNamed) {
  const TempDir folder;
  const std::string script = folder.file("script", "#!/nowhere/interpreter\n", kExecutable);
  const Ending ending = run({script});
  EXPECT_EQ(ending.exit_code, 126);
  EXPECT_EQ(ending.err,
            "clockshim: " + script + ": its interpreter /nowhere/interpreter is not there\n");
}

TEST(Status, FileWithoutShebangRunsByTheShell) {
  const TempDir folder;
  EXPECT_EQ(run({folder.file("script", "exit 4\n", kExecutable)}).exit_code, 4);
}

TEST(Status, DeathBySignalIsPassedOn) {
  for (const int signal : {SIGSEGV, SIGKILL, SIGTERM, SIGABRT, SIGPIPE, SIGRTMIN}) {
    const Ending ending = run({"sh", "-c", "kill -" + std::to_string(signal) + " $$"});
    EXPECT_EQ(ending.signal, signal);
    EXPECT_EQ(ending.exit_code, -1);
  }
}

// The command's own core is enough.
TEST(Status, DeathLeavesNoCoreOfOurs) {
  const TempDir folder;
  const Ending ending = Running({"/bin/sh", "-c",
                                 "cd " + folder.path().string() + " && ulimit -c unlimited && " +
                                     command_path() + " run -- sh -c 'ulimit -c 0; kill -SEGV $$'"})
                            .finish();
  EXPECT_EQ(ending.exit_code, 128 + SIGSEGV) << ending.err;
  EXPECT_EQ(ending.err.find("core dumped"), std::string::npos);
  EXPECT_EQ(folder.files(), 0U);
}

// Whoever ignores SIGCHLD has its children reaped by the kernel: the status would be lost.
TEST(Status, ComesThroughWhereSigchldIsIgnored) {
  signal(SIGCHLD, SIG_IGN);
  Running running({command_path(), "run", "--", "grep", "SigIgn", "/proc/self/status"});
  signal(SIGCHLD, SIG_DFL);
  const Ending ending = running.finish();
  EXPECT_EQ(ending.exit_code, 0) << ending.err;
  const unsigned long ignored =
      std::stoul(ending.out.substr(ending.out.find(':') + 1), nullptr, 16);
  EXPECT_NE(ignored & 1UL << (SIGCHLD - 1), 0U) << "the command must find what we found";
}

TEST(Status, SignalMaskIsTheOneWeFound) {
  EXPECT_NE(run({"grep", "SigBlk", "/proc/self/status"}).out.find("0000000000000000"),
            std::string::npos);
}

// A reader of the command's output sees its end when the command closes it, not when we end.
TEST(Status, OutputEndsWhenTheCommandClosesIt) {
  Running running({"/bin/bash", "-c",
                   "exec 3<&0; { exec " + command_path() +
                       " run -- sh -c 'exec >&-; read line' <&3; } | { cat; echo closed; }"});
  EXPECT_TRUE(running.wait_for("closed"));
  running.type("\n");
  EXPECT_EQ(running.finish().exit_code, 0);
}

}  // namespace
}  // namespace clockshim::test
