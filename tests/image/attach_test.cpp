// Processes that run already, which the command attaches to and detaches from: the host tells what
// goes wrong with it meanwhile.
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "../preload/run_host.h"

namespace clockshim::test {
namespace {

std::string content(const std::string& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

// A host that runs until it is told to end.
class Daemon {
 public:
  // `prepare` runs in it before its exec.
  explicit Daemon(
      const std::string& host, std::vector<std::string> arguments = {},
      const std::function<void()>& prepare = [] {}) {
    arguments.insert(arguments.begin(), host_path(host));
    const std::string out = dir_.path("out");
    pid_ = fork();
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (std::freopen(out.c_str(), "w", stdout) == nullptr) _exit(126);
      unsetenv("LD_PRELOAD");
      std::vector<char*> argv;
      for (auto& argument : arguments) argv.push_back(argument.data());
      argv.push_back(nullptr);
      prepare();
      execv(argv[0], argv.data());
      _exit(127);
    }
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (said().find("ready") == std::string::npos) {
      if (std::chrono::steady_clock::now() > deadline) {
        ADD_FAILURE() << host << " does not begin: " << said();
        break;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  }
  ~Daemon() {
    if (ended_) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] std::string said() const { return content(dir_.path("out")); }
  // What the host has said of this word; -1: nothing.
  [[nodiscard]] long number(const std::string& word) const {
    std::istringstream lines(said());
    std::string name;
    long pid = 0;
    long number = 0;
    while (lines >> name >> pid >> number) {
      if (name == word) return number;
    }
    return -1;
  }
  // Who has said it; -1: nobody.
  [[nodiscard]] long pid_of(const std::string& word) const {
    std::istringstream lines(said());
    std::string name;
    long pid = 0;
    long number = 0;
    while (lines >> name >> pid >> number) {
      if (name == word) return pid;
    }
    return -1;
  }
  // Tells it to end. "exit 7" is a host that has found nothing wrong.
  std::string end() {
    kill(pid_, SIGTERM);
    return wait();
  }
  std::string wait() {
    int status = 0;
    waitpid(pid_, &status, 0);
    ended_ = true;
    return WIFEXITED(status) ? "exit " + std::to_string(WEXITSTATUS(status))
                             : "signal " + std::to_string(WTERMSIG(status));
  }
  [[nodiscard]] std::string live_folder() const { return dir_.path("live"); }

 private:
  TempDir dir_;
  pid_t pid_ = -1;
  bool ended_ = false;
};

struct Said {
  int status = -1;
  std::string text;
};

// Runs our command once; its live files are in the daemon's folder.
Said command_once(const Daemon& daemon, const std::string& words) {
  const std::string line = "CLOCKSHIM_DIR=" + daemon.live_folder() + " " +
                           std::getenv("CLOCKSHIM_TEST_COMMAND") + " " + words + " 2>&1";
  std::FILE* const pipe = popen(line.c_str(), "r");
  Said said;
  if (pipe == nullptr) return said;
  std::array<char, 4096> piece{};
  for (std::size_t n; (n = fread(piece.data(), 1, piece.size(), pipe)) > 0;)
    said.text.append(piece.data(), n);
  const int status = pclose(pipe);
  said.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return said;
}

// Runs it until the machine lets threads stop in time: beside other tests, they may have to wait
// for a CPU for longer than the command waits for them.
Said command(const Daemon& daemon, const std::string& words) {
  constexpr int kTries = 50;
  Said said;
  for (int i = 0; i < kTries; ++i) {
    said = command_once(daemon, words);
    if (said.status == 0 || said.text.find("does not stop") == std::string::npos) break;
  }
  return said;
}

std::string number_of(const Daemon& daemon) { return std::to_string(daemon.pid()); }
Said attach(const Daemon& daemon, const std::string& options = "") {
  return command(daemon, "attach " + options + " " + number_of(daemon));
}
Said detach(const Daemon& daemon) { return command(daemon, "detach " + number_of(daemon)); }
Json report(const Daemon& daemon) {
  const Said said = command(daemon, "report --format json " + number_of(daemon));
  return said.status == 0 ? Json::parse(said.text, nullptr, false) : Json();
}
long calls_by(const Json& report, const std::string& function) {
  return calls_from(report, function, 8);
}

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

void expect_nothing_wrong(Daemon& daemon) {
  EXPECT_EQ(daemon.end(), "exit 7") << daemon.said();
  for (const char* const word : {"turns", "sleeps", "reads", "polls", "waits", "children"})
    EXPECT_GT(daemon.number(word), 0) << word;
}

// Whether we may trace what we have not started ourselves: with Yama, only root may.
bool may_attach() {
  const std::string scope = content("/proc/sys/kernel/yama/ptrace_scope");
  return geteuid() == 0 || scope.empty() || scope.starts_with('0');
}

class Attach : public testing::Test {
 protected:
  void SetUp() override {
    if (!may_attach()) GTEST_SKIP() << "needs root here (kernel.yama.ptrace_scope)";
  }
};

class Attached : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!may_attach()) GTEST_SKIP() << "needs root here (kernel.yama.ptrace_scope)";
    if (!std::filesystem::exists(host_path(GetParam()))) GTEST_SKIP() << "no compiler for it";
  }
};

TEST_P(Attached, IsServedAndCountedByName) {
  Daemon daemon(GetParam());
  const Said said = attach(daemon);
  ASSERT_EQ(said.status, 0) << said.text;
  EXPECT_NE(said.text.find("served, mode "), std::string::npos) << said.text;
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  const Json first = report(daemon);
  ASSERT_TRUE(first.is_object());
  EXPECT_EQ(first.at("state"), "running");
  EXPECT_GT(calls_by(first, "asks_in_order"), 0) << first.dump(1);
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
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
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
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
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
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (std::chrono::steady_clock::now() < deadline) {
      const std::string stat = content("/proc/" + number_of(daemon) + "/stat");
      if (stat.substr(stat.rfind(')') + 2, 1) == "T") return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return false;
  };
  EXPECT_EQ(attach(daemon).status, 0);
  EXPECT_TRUE(is_stopped());
  EXPECT_EQ(detach(daemon).status, 0);
  EXPECT_EQ(attach(daemon).status, 0);
  EXPECT_TRUE(is_stopped());
  kill(daemon.pid(), SIGCONT);
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
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
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  expect_nothing_wrong(daemon);
}

INSTANTIATE_TEST_SUITE_P(Kinds, Attached,
                         testing::Values("runs_on", "runs_on_static", "runs_on_static_pie",
                                         "runs_on_musl", "runs_on_musl_static"),
                         [](const auto& kind) { return std::string(kind.param); });

TEST_F(Attach, AHundredThreads) {
  Daemon daemon("runs_on", {"100"});
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(attach(daemon).status, 0);
    EXPECT_EQ(detach(daemon).status, 0);
  }
  expect_nothing_wrong(daemon);
}

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

TEST_F(Attach, WhatHasTheLibraryIsLeftAlone) {
  Daemon daemon("runs_on", {}, [] { setenv("LD_PRELOAD", shim_path().c_str(), 1); });
  const Said said = attach(daemon);
  EXPECT_EQ(said.status, 1);
  EXPECT_NE(said.text.find("it has the library already"), std::string::npos) << said.text;
  EXPECT_EQ(daemon.end(), "exit 7") << daemon.said();
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

// A wrapper's rule must not be followed in other code that was loaded in its place.
TEST_F(Attach, WhatIsLoadedInAWrappersPlaceIsNone) {
  Daemon daemon("reloads", {host_path("reloaded.so"), host_path("reloaded_other.so")});
  ASSERT_EQ(attach(daemon).status, 0);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_GT(calls_by(report(daemon), "main"), 0) << report(daemon).dump(1);
  kill(daemon.pid(), SIGUSR1);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (daemon.number("again") < 0 && std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
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
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  const Said told = command(outside, "report --format json " + pid);
  const Json report = Json::parse(told.text, nullptr, false);
  ASSERT_TRUE(report.is_object()) << told.text;
  EXPECT_GT(calls_by(report, "asks_in_order"), 0) << report.dump(1);
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

TEST_F(Attach, DetachingAChildLeavesItsParentsReport) {
  Daemon daemon("forks_on", {"later"});
  ASSERT_EQ(attach(daemon).status, 0);
  kill(daemon.pid(), SIGUSR1);  // it forks now
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (daemon.number("forked") < 0 && std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
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
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
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
