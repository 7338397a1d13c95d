// Signals that `clockshim run` gets are the command's; a terminal's own are not doubled.
#include <gtest/gtest.h>

#include <csignal>

#include "run_command.h"

namespace clockshim::test {
namespace {

std::string got(int signal) { return "got " + std::to_string(signal); }

std::vector<std::string> signal_program() {
  return {command_path(), "run", "--report", "none", "--", program_path("signal_program")};
}

TEST(Signals, ArePassedOnToTheCommand) {
  Running running(signal_program());
  ASSERT_TRUE(running.wait_for("\n"));
  for (const int signal : {SIGUSR1, SIGUSR2, SIGINT, SIGHUP, SIGQUIT, SIGWINCH, SIGCONT, SIGTERM}) {
    kill(running.pid(), signal);
    ASSERT_TRUE(running.wait_for(got(signal) + "\n"));
  }
  EXPECT_EQ(running.finish().exit_code, 9);
}

// kill(0, ...) in the command reaches us too, and must not come back to it.
TEST(Signals, OfTheCommandItselfDoNotComeBack) {
  Running running({"/usr/bin/setsid", command_path(), "run", "--report", "none", "--",
                   program_path("signal_program"), "group"});
  ASSERT_TRUE(running.wait_for(got(SIGUSR1)));
  kill(running.pid(), SIGUSR2);  // passed on after what we might have passed on before
  ASSERT_TRUE(running.wait_for(got(SIGUSR2)));
  kill(running.pid(), SIGTERM);
  const Ending ending = running.finish();
  EXPECT_EQ(count_of(ending.out, got(SIGUSR1)), 1U);
  EXPECT_EQ(ending.exit_code, 9) << ending.err;
}

TEST(Signals, OfTheTerminalArriveOnce) {
  Running running(signal_program(), {}, On::terminal);
  ASSERT_TRUE(running.wait_for("\n"));
  running.type("\x03");  // Ctrl-C, to the whole foreground group
  ASSERT_TRUE(running.wait_for(got(SIGINT)));
  // What we might pass on comes before the next: we take signals one by one.
  kill(running.pid(), SIGUSR1);
  ASSERT_TRUE(running.wait_for(got(SIGUSR1)));
  kill(running.pid(), SIGTERM);
  const Ending ending = running.finish();
  EXPECT_EQ(count_of(ending.out, got(SIGINT)), 1U) << ending.out;
  EXPECT_EQ(ending.exit_code, 9);
}

// Our session's leader alone hears of a terminal that hangs up: the command would live on.
TEST(Signals, HangUpReachesTheCommand) {
  const TempDir folder;
  const std::string told = folder.path("told");
  {
    Running running(
        {command_path(), "run", "--report", "none", "--", "bash", "-c",
         "trap 'echo hung up > " + told + "; exit' HUP; echo ready; while :; do sleep 0.05; done"},
        {}, On::terminal);
    ASSERT_TRUE(running.wait_for("ready"));
    running.hang_up();
    EXPECT_EQ(running.finish().exit_code, 0);
  }
  EXPECT_TRUE(std::filesystem::exists(told));
}

// The shell sees the job stop, and starts it again.
TEST(Signals, StopOfTheCommandStopsUs) {
  Running shell({"/bin/bash", "--norc", "-i"}, {"PS1=$ "}, On::terminal);
  ASSERT_TRUE(shell.wait_for("$ "));
  shell.type(command_path() +
             " run --report none -- bash -c 'echo \"\"rea\"\"dy; read line; echo \"\"re\"\"ad "
             "$line; exit 7'\n");
  ASSERT_TRUE(shell.wait_for("ready"));
  shell.type("\x1a");  // Ctrl-Z
  ASSERT_TRUE(shell.wait_for("Stopped"));
  shell.type("echo the shell is ba''ck\n");
  ASSERT_TRUE(shell.wait_for("the shell is back"));
  shell.type("fg\nhello\n");
  ASSERT_TRUE(shell.wait_for("read hello"));
  shell.type("echo 'status' $?\nexit\n");
  ASSERT_TRUE(shell.wait_for("status 7"));
  shell.finish();
}

TEST(Signals, ThatWereIgnoredStayIgnoredForTheCommand) {
  signal(SIGHUP, SIG_IGN);
  Running running(
      {command_path(), "run", "--report", "none", "--", "bash", "-c", "kill -HUP $$; echo lives"});
  signal(SIGHUP, SIG_DFL);
  EXPECT_EQ(running.finish().out, "lives\n");
}

}  // namespace
}  // namespace clockshim::test
