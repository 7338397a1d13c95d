// Processes in surroundings, and in moments, in which attaching to them has to be refused, or needs
// care.
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>

#include <array>
#include <csignal>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "cli/inject/vdso.h"
#include "daemon.h"

namespace clockshim::test {
namespace {

TEST_F(Attach, IsRefusedWithAReason) {
  Daemon daemon("runs_on");
  const auto refused = [&](const std::string& words) {
    const Said said = command(daemon, words);
    return std::to_string(said.status) + " " + said.text;
  };
  EXPECT_NE(refused("attach 99999999").find("1 clockshim: process 99999999: not attached: "),
            std::string::npos);
  EXPECT_NE(refused("attach no-such-program").find("no process of this name runs"),
            std::string::npos);
  EXPECT_EQ(refused("attach").substr(0, 1), "2");
  EXPECT_EQ(refused("attach --tolerance soon " + number_of(daemon)).substr(0, 1), "2");
  EXPECT_NE(refused("detach " + number_of(daemon)).find("it is not served by an image"),
            std::string::npos);
  // Somebody else traces it.
  ASSERT_EQ(ptrace(PTRACE_SEIZE, daemon.pid(), nullptr, nullptr), 0);
  EXPECT_NE(refused("attach " + number_of(daemon)).find("it is traced by image_test["),
            std::string::npos);
  ASSERT_EQ(ptrace(PTRACE_INTERRUPT, daemon.pid(), nullptr, nullptr), 0);
  int status = 0;
  ASSERT_EQ(waitpid(daemon.pid(), &status, __WALL), daemon.pid());
  ASSERT_EQ(ptrace(PTRACE_DETACH, daemon.pid(), nullptr, nullptr), 0);
  EXPECT_EQ(attach(daemon).status, 0);
  expect_nothing_wrong(daemon);
}

// Whatever its file is called: it counts in a segment.
TEST_F(Attach, WhatHasTheLibraryIsLeftAlone) {
  const TempDir dir;
  const std::string renamed = dir.path("faster.so");
  std::filesystem::copy(shim_path(), renamed);
  for (const std::string& library : {shim_path(), renamed}) {
    Daemon daemon("runs_on", {}, [&] {
      setenv("LD_PRELOAD", library.c_str(), 1);
      setenv("CLOCKSHIM_LOG", "off", 1);
      setenv("CLOCKSHIM_REPORT", "none", 1);
    });
    for (const char* const word : {"attach ", "detach "}) {
      const Said said = command(daemon, word + number_of(daemon));
      EXPECT_EQ(said.status, 1);
      EXPECT_NE(said.text.find("the library"), std::string::npos) << library << said.text;
    }
    EXPECT_EQ(daemon.end(), "exit 7") << daemon.said();
  }
}

// Only root may suspend a filter of system calls, which would end the process for ours.
TEST_F(Attach, BehindAFilterItIsServedOrRefused) {
  Daemon daemon("runs_on", {}, [] {
    std::array<sock_filter, 4> code{{
        {BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)},
        {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, SYS_shmat},
        {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_KILL_PROCESS},
        {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
    }};
    const sock_fprog program{code.size(), code.data()};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
  });
  const Said said = attach(daemon);
  if (said.status != 0) {
    EXPECT_NE(said.text.find("behind a filter of system calls"), std::string::npos) << said.text;
  }
  expect_nothing_wrong(daemon);
}

// Steps the daemon's only thread up to the second instruction of the vDSO's function, where the
// jump will be, and stops it there.
void stop_behind_the_first_instruction(const Daemon& daemon) {
  cli::Vdso vdso;
  ASSERT_EQ(cli::read_vdso(daemon.pid(), vdso), "");
  const std::uint64_t entry = cli::find_function(vdso, "clock_gettime").at;
  int status = 0;
  user_regs_struct registers{};
  ASSERT_EQ(ptrace(PTRACE_SEIZE, daemon.pid(), nullptr, nullptr), 0);
  ASSERT_EQ(ptrace(PTRACE_INTERRUPT, daemon.pid(), nullptr, nullptr), 0);
  ASSERT_EQ(waitpid(daemon.pid(), &status, __WALL), daemon.pid());
  bool at_entry = false;
  do {
    ASSERT_EQ(ptrace(PTRACE_GETREGS, daemon.pid(), nullptr, &registers), 0);
    if (at_entry) break;
    at_entry = registers.rip == entry;
    ASSERT_EQ(ptrace(PTRACE_SINGLESTEP, daemon.pid(), nullptr, nullptr), 0);
    ASSERT_EQ(waitpid(daemon.pid(), &status, __WALL), daemon.pid());
    ASSERT_TRUE(WIFSTOPPED(status));
  } while (true);
  ASSERT_GT(registers.rip, entry);
  ASSERT_LT(registers.rip, entry + 5);
  ASSERT_EQ(ptrace(PTRACE_DETACH, daemon.pid(), nullptr, SIGSTOP), 0);
}

TEST_F(Attach, AThreadThatStandsInTheWayGoesOnElsewhere) {
  Daemon daemon("asks_on");
  stop_behind_the_first_instruction(daemon);
  const Said said = attach(daemon);
  EXPECT_EQ(said.status, 0) << said.text;
  kill(daemon.pid(), SIGCONT);
  await_calls_by(daemon, "ask");
  EXPECT_EQ(detach(daemon).status, 0);
  EXPECT_EQ(daemon.end(), "exit 7") << daemon.said();
}

// It is the one that is borrowed, in the middle of calls that have to begin again.
TEST_F(Attach, CallsOfTheOnlyThreadBeginAgain) {
  Daemon daemon("asks_on", {"waits"});
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(attach(daemon).status, 0) << i << daemon.said();
    ASSERT_EQ(detach(daemon).status, 0) << i << daemon.said();
  }
  EXPECT_EQ(daemon.end(), "exit 7") << daemon.said();
}

// Its handler has interrupted it there, and will return there.
TEST_F(Attach, AThreadThatComesBackIsWaitedFor) {
  Daemon daemon("asks_on", {"interrupted"});
  const Said said = attach(daemon);
  EXPECT_EQ(said.status, 1);
  EXPECT_NE(said.text.find("in the middle of what would be changed"), std::string::npos)
      << said.text;
  kill(daemon.pid(), SIGUSR1);  // the handler returns
  ASSERT_TRUE(daemon.await("returned"));
  EXPECT_EQ(attach(daemon).status, 0);
  await_calls_by(daemon, "ask");
  EXPECT_EQ(daemon.end(), "exit 7") << daemon.said();
}

// The filter is one thread's, and not the first one's: whoever is borrowed must not be that.
TEST_F(Attach, AThreadBehindAFilterIsNotHarmed) {
  Daemon daemon("filtered_thread");
  for (int i = 0; i < 5; ++i) {
    const Said said = attach(daemon);
    if (said.status != 0) {
      EXPECT_NE(said.text.find("behind a filter"), std::string::npos) << said.text;
    } else {
      EXPECT_EQ(detach(daemon).status, 0);
    }
  }
  EXPECT_EQ(daemon.end(), "exit 7") << daemon.said();
}

// What was seen of a process before it was stopped is another program's behind an exec; and a
// thread that executes waits for those that we trace.
TEST_F(Attach, AProgramThatExecutesIsNotTakenForAnother) {
  Daemon daemon("executes");
  int served = 0;
  for (int i = 0; i < 40; ++i) {
    const Said said = attach(daemon);
    served += said.status == 0;
    if (said.status != 0) {
      EXPECT_NE(said.text.find("not attached: "), std::string::npos) << said.text;
    }
  }
  EXPECT_GT(served, 0);
  EXPECT_EQ(daemon.end(), "signal 15") << daemon.said();
}

// A wrapper's rule must not be followed in other code that was loaded in its place.
TEST_F(Attach, WhatIsLoadedInAWrappersPlaceIsNone) {
  Daemon daemon("reloads", {host_path("reloaded.so"), host_path("reloaded_other.so")});
  ASSERT_EQ(attach(daemon).status, 0);
  await_calls_by(daemon, "main");
  kill(daemon.pid(), SIGUSR1);
  ASSERT_TRUE(daemon.await("asked"));
  const long first = daemon.number("ready");
  const long again = daemon.number("again");
  EXPECT_EQ(daemon.end(), "exit 7") << daemon.said();
  if (first != again) GTEST_SKIP() << "the loader has found another place";
}

// Its /proc is another one, where our numbers are others' or nobody's.
TEST_F(Attach, InAContainer) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  Daemon outside("/usr/bin/unshare", {"--pid", "--ipc", "--mount", "--fork", "--kill-child",
                                      "--mount-proc", "--", host_path("runs_on")});
  std::ifstream children("/proc/" + number_of(outside) + "/task/" + number_of(outside) +
                         "/children");
  pid_t inside = 0;
  ASSERT_TRUE(children >> inside);
  const std::string pid = std::to_string(inside);
  const Said said = command(outside, "attach " + pid);
  EXPECT_EQ(said.status, 0) << said.text;
  EXPECT_EQ(said.text.find("no live file"), std::string::npos) << said.text;
  eventually(
      [&] {
        const Said told = command(outside, "report --format json " + pid);
        const Json report = Json::parse(told.text, nullptr, false);
        return report.is_object() && calls_by(report, "asks_in_order") > 0;
      },
      "calls by asks_in_order");
  EXPECT_EQ(command(outside, "detach " + pid).status, 0);
  kill(inside, SIGTERM);
  EXPECT_EQ(outside.wait(), "exit 7") << outside.said();
}

TEST_F(Attach, NamesAreWholeNames) {
  Daemon daemon("runs_on_static_pie");
  EXPECT_EQ(command(daemon, "attach runs_on_static_other").status, 2);
  EXPECT_EQ(command(daemon, "attach \"\"").status, 2);
  const Said thread = command(
      daemon,
      "attach " + std::filesystem::path(std::next(std::filesystem::directory_iterator(
                                                      "/proc/" + number_of(daemon) + "/task"))
                                            ->path())
                      .filename()
                      .string());
  EXPECT_EQ(thread.status, 1);
  EXPECT_NE(thread.text.find("it is a thread of process " + number_of(daemon)), std::string::npos)
      << thread.text;
  expect_nothing_wrong(daemon);
}

}  // namespace
}  // namespace clockshim::test
