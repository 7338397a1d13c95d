// Processes that run already, which the command attaches to and detaches from: the host tells what
// goes wrong with it meanwhile.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <filesystem>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "daemon.h"

namespace clockshim::test {
namespace {

class Attached : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!may_attach()) GTEST_SKIP() << "needs root here (kernel.yama.ptrace_scope)";
    if (!std::filesystem::exists(host_path(GetParam()))) GTEST_SKIP() << "no compiler for it";
  }
};

// What is mapped, without what it counts in.
std::string memory_of(const Daemon& daemon) {
  std::istringstream lines(content("/proc/" + number_of(daemon) + "/maps"));
  std::string out;
  for (std::string line; std::getline(lines, line);) {
    if (line.find("[heap]") == std::string::npos && line.find("[stack]") == std::string::npos)
      out += line + "\n";
  }
  return out;
}
std::size_t mappings_of(const Daemon& daemon) {
  const std::string maps = content("/proc/" + number_of(daemon) + "/maps");
  return static_cast<std::size_t>(std::count(maps.begin(), maps.end(), '\n'));
}

Json doctor(const Daemon& daemon) {
  const Said said = command(daemon, "doctor --quick --json " + number_of(daemon));
  const Json seen = Json::parse(said.text, nullptr, false);
  return seen.is_object() ? seen.at("program") : Json::object({{"said", said.text}});
}

TEST_P(Attached, TheDoctorKnowsThatItIsServedAndHow) {
  Daemon daemon(GetParam());
  const Json before = doctor(daemon);
  EXPECT_EQ(before["loaded"], false) << before;
  EXPECT_NE(before["notes"].dump().find("`clockshim attach " + number_of(daemon) + "`"),
            std::string::npos)
      << before;
  ASSERT_EQ(attach(daemon).status, 0);
  const Json during = doctor(daemon);
  EXPECT_EQ(during["loaded"], true) << during;
  EXPECT_GT(during["calls_per_second"], 0) << during;
  EXPECT_EQ(detach(daemon).status, 0);
  EXPECT_EQ(doctor(daemon)["loaded"], false);
  expect_nothing_wrong(daemon);
}

TEST_P(Attached, IsServedAndCountedByName) {
  Daemon daemon(GetParam());
  const Said said = attach(daemon);
  ASSERT_EQ(said.status, 0) << said.text;
  EXPECT_NE(said.text.find("served, mode "), std::string::npos) << said.text;
  await_calls_by(daemon, "asks_in_order");
  EXPECT_EQ(report(daemon).at("state"), "running");
  EXPECT_EQ(command(daemon, "attach " + number_of(daemon)).status, 1);
  EXPECT_EQ(detach(daemon).status, 0);
  const long counted = calls_in_all(report(daemon));
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(report(daemon).at("state"), "ended");
  // A thread that stood in the image has finished its call.
  EXPECT_LE(calls_in_all(report(daemon)), counted + 16);
  EXPECT_EQ(detach(daemon).status, 1);
  expect_nothing_wrong(daemon);
}

TEST_P(Attached, GoesOnInOneReportThroughManyRounds) {
  constexpr int kRounds = 25;
  Daemon daemon(GetParam());
  ASSERT_EQ(attach(daemon).status, 0);
  const std::size_t mappings = mappings_of(daemon);
  long counted = 0;
  for (int i = 0; i < kRounds; ++i) {
    const Said gone = detach(daemon);
    ASSERT_EQ(gone.status, 0) << i << gone.text;
    const Said there = attach(daemon);
    ASSERT_EQ(there.status, 0) << i << there.text;
    const long now = calls_in_all(report(daemon));
    EXPECT_GE(now, counted);
    counted = now;
  }
  EXPECT_GT(counted, 0);
  // A thread more or less has a stack more or less.
  EXPECT_LE(mappings_of(daemon), mappings + 8);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(daemon.live_folder()), {}), 1);
  expect_nothing_wrong(daemon);
}

TEST_P(Attached, BeginsAnewWithOtherSettings) {
  Daemon daemon(GetParam());
  for (const char* const options : {"--tolerance 1ms", "--tolerance 0", "--profile off", ""}) {
    const Said said = attach(daemon, options);
    EXPECT_EQ(said.status, 0) << options << said.text;
    EXPECT_EQ(said.text.find("passthrough") != std::string::npos,
              std::string(options) == "--tolerance 0")
        << said.text;
    EXPECT_EQ(detach(daemon).status, 0);
  }
  expect_nothing_wrong(daemon);
}

TEST_P(Attached, NoSignalIsLost) {
  constexpr int kSignals = 2'000;
  constexpr int kQueued = 40;  // the host's, whatever its C library keeps for itself
  Daemon daemon(GetParam());
  std::thread sender([&] {
    for (int i = 0; i < kSignals; ++i) {
      while (sigqueue(daemon.pid(), kQueued, sigval{}) != 0) std::this_thread::yield();
      if (i % 20 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  });
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(attach(daemon).status, 0);
    EXPECT_EQ(detach(daemon).status, 0);
  }
  sender.join();
  expect_nothing_wrong(daemon);
  EXPECT_EQ(daemon.number("signals"), kSignals);
}

TEST_P(Attached, AStoppedProcessStaysStopped) {
  Daemon daemon(GetParam());
  ASSERT_EQ(kill(daemon.pid(), SIGSTOP), 0);
  int status = 0;
  ASSERT_EQ(waitpid(daemon.pid(), &status, WUNTRACED), daemon.pid());
  // Each thread stops by itself, when it has gone on.
  const auto is_stopped = [&] {
    return eventually(
        [&] {
          const std::string stat = content("/proc/" + number_of(daemon) + "/stat");
          return stat.substr(stat.rfind(')') + 2, 1) == "T";
        },
        "it is stopped");
  };
  EXPECT_EQ(attach(daemon).status, 0);
  EXPECT_TRUE(is_stopped());
  EXPECT_EQ(detach(daemon).status, 0);
  EXPECT_EQ(attach(daemon).status, 0);
  EXPECT_TRUE(is_stopped());
  kill(daemon.pid(), SIGCONT);
  expect_nothing_wrong(daemon);
}

// Whatever fails, the process is as it was.
TEST_P(Attached, WithoutMemoryItIsAsItWas) {
  Daemon daemon(GetParam());
  kill(daemon.pid(), SIGSTOP);
  int status = 0;
  ASSERT_EQ(waitpid(daemon.pid(), &status, WUNTRACED), daemon.pid());
  const rlimit none{0, RLIM_INFINITY};
  rlimit usual{};
  ASSERT_EQ(prlimit(daemon.pid(), RLIMIT_AS, &none, &usual), 0);
  const std::string before = memory_of(daemon);
  const Said said = attach(daemon);
  EXPECT_EQ(said.status, 1);
  EXPECT_NE(said.text.find("it can't map memory"), std::string::npos) << said.text;
  EXPECT_EQ(memory_of(daemon), before);
  ASSERT_EQ(prlimit(daemon.pid(), RLIMIT_AS, &usual, nullptr), 0);
  kill(daemon.pid(), SIGCONT);
  expect_nothing_wrong(daemon);
}

INSTANTIATE_TEST_SUITE_P(Kinds, Attached,
                         testing::Values("runs_on", "runs_on_static", "runs_on_static_pie",
                                         "runs_on_musl", "runs_on_musl_static"),
                         [](const auto& kind) { return std::string(kind.param); });

TEST_F(Attach, ABadSettingInTheEnvironmentIsAMistakeInTheCommandLine) {
  Daemon daemon("runs_on");
  for (const char* const bad : {"CLOCKSHIM_TOLERANCE=banana", "CLOCKSHIM_PROFILE=everything"}) {
    const std::string word = bad;
    const std::string name = word.substr(0, word.find('='));
    setenv(name.c_str(), word.substr(word.find('=') + 1).c_str(), 1);
    const Said said = attach(daemon);
    unsetenv(name.c_str());
    EXPECT_EQ(said.status, 2) << said.text;
    EXPECT_NE(said.text.find(name), std::string::npos) << said.text;
    EXPECT_EQ(std::count(said.text.begin(), said.text.end(), '\n'), 1) << said.text;
  }
  expect_nothing_wrong(daemon);
}

// Each call once, whatever process it is that asks; also if nobody can ask it any more.
class Counted : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!may_attach()) GTEST_SKIP() << "needs root here (kernel.yama.ptrace_scope)";
  }
};

TEST_P(Counted, CountsAreExactAlsoIfItIsKilled) {
  const std::string carrier = GetParam();
  const std::string carriers = std::getenv("TEST_CARRIERS");
  if (carrier != "itself" && carriers.find(carrier) == std::string::npos)
    GTEST_SKIP() << "no such daemon is installed";
  std::vector<std::string> arguments{carrier, host_path("asks_on.so"), "counted", "40000"};
  if (carrier == "itself") arguments.erase(arguments.begin(), arguments.begin() + 2);
  Daemon daemon(carrier == "itself" ? "asks_on" : std::getenv("TEST_CARRY"), arguments);
  ASSERT_EQ(attach(daemon).status, 0);
  kill(daemon.pid(), SIGUSR1);
  ASSERT_TRUE(daemon.await("asked"));
  EXPECT_EQ(calls_by(report(daemon), "ask"), 40'000);
  kill(daemon.pid(), SIGKILL);
  EXPECT_EQ(daemon.wait(), "signal 9");
  EXPECT_EQ(calls_by(report(daemon), "ask"), 40'000);
  EXPECT_EQ(report(daemon).at("state"), "lost");
}

INSTANTIATE_TEST_SUITE_P(Of, Counted, testing::Values("itself", "redis", "postgres", "java"),
                         [](const auto& carrier) { return std::string(carrier.param); });

TEST_F(Attach, AHundredThreads) {
  Daemon daemon("runs_on", {"100"});
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(attach(daemon).status, 0);
    EXPECT_EQ(detach(daemon).status, 0);
  }
  expect_nothing_wrong(daemon);
}

TEST_F(Attach, OfSeveralAtATimeOneServes) {
  for (int round = 0; round < 5; ++round) {
    Daemon daemon("runs_on");
    std::array<Said, 4> all;
    std::vector<std::thread> threads;
    for (Said& said : all) threads.emplace_back([&] { said = attach(daemon); });
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(std::count_if(all.begin(), all.end(), [](const Said& s) { return s.status == 0; }),
              1);
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(daemon.live_folder()), {}), 1);
    expect_nothing_wrong(daemon);
  }
}

TEST_F(Attach, DetachingAChildLeavesItsParentsReport) {
  Daemon daemon("forks_on", {"later"});
  ASSERT_EQ(attach(daemon).status, 0);
  kill(daemon.pid(), SIGUSR1);  // it forks now
  ASSERT_TRUE(daemon.await("forked"));
  const Said said = command(daemon, "detach " + std::to_string(daemon.number("forked")));
  EXPECT_EQ(said.status, 0) << said.text;
  EXPECT_EQ(report(daemon).at("state"), "running");
  EXPECT_EQ(detach(daemon).status, 0);
  EXPECT_EQ(report(daemon).at("state"), "ended");
  EXPECT_EQ(daemon.end(), "exit 7") << daemon.said();
}

TEST_F(Attach, ATreeIsServedWithOneWord) {
  Daemon daemon("forks_on");
  const Said said = command(daemon, "attach --tree " + number_of(daemon));
  EXPECT_EQ(said.status, 0) << said.text;
  EXPECT_EQ(std::count(said.text.begin(), said.text.end(), '\n'), 3) << said.text;
  const Said gone = command(daemon, "detach --tree " + number_of(daemon));
  EXPECT_EQ(gone.status, 0) << gone.text;
  EXPECT_EQ(std::count(gone.text.begin(), gone.text.end(), '\n'), 3) << gone.text;
  EXPECT_EQ(daemon.end(), "exit 7") << daemon.said();
}

// What `run` has put in can be taken out, and put in again.
TEST_F(Attach, WhatRunHasPutInIsDetached) {
  Daemon run(std::getenv("CLOCKSHIM_TEST_COMMAND"),
             {"run", "--report", "none", host_path("runs_on_static")},
             [] { setenv("CLOCKSHIM_LIBRARY", shim_path().c_str(), 1); });
  const std::string pid = std::to_string(run.pid_of("ready"));
  const auto said = [&](const std::string& words) {
    const Said all = command(run, words + " " + pid);
    return std::to_string(all.status) + " " + all.text;
  };
  EXPECT_NE(said("attach").find("it is served by an image already"), std::string::npos);
  EXPECT_NE(said("detach").find("0 runs_on_static[" + pid + "]: no longer served"),
            std::string::npos);
  EXPECT_NE(said("attach").find(": served, mode "), std::string::npos);
  EXPECT_EQ(run.end(), "exit 7") << run.said();
}

}  // namespace
}  // namespace clockshim::test
