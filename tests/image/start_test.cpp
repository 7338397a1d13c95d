// The moments of a program's start under the command, which traces it until then: signals that come
// in between, what the program inherits, and surroundings in which tracing is not allowed.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <random>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "../preload/run_host.h"
#include "daemon.h"

namespace clockshim::test {
namespace {

std::string command() { return std::getenv("CLOCKSHIM_TEST_COMMAND"); }

// A run of the command in a group of its own, whose child gets all the time it needs. A dynamic
// program is traced for longer: until its loader is done.
class Start {
 public:
  explicit Start(bool dynamic, const std::string& path_variable = "",
                 const std::string& before_main = "") {
    std::vector<std::string> arguments{command(),  "run",  "--image",
                                       "--report", "none", dynamic ? "asks_dynamic" : "asks_static",
                                       "calls",    "20000"};
    const std::string path = path_variable + std::getenv("CLOCKSHIM_HOSTS");
    const std::string library = shim_path();
    const std::string preload = host_path("before_main.so");
    pid_ = fork();
    if (pid_ != 0) {
      setpgid(pid_, pid_);
      return;
    }
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setenv("PATH", path.c_str(), 1);
    setenv("CLOCKSHIM_LIBRARY", library.c_str(), 1);
    if (!before_main.empty()) setenv("LD_PRELOAD", preload.c_str(), 1);
    setenv("BEFORE_MAIN", before_main.c_str(), 1);
    std::vector<char*> argv;
    for (auto& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    execv(argv[0], argv.data());
    _exit(127);
  }
  ~Start() {
    kill(-pid_, SIGKILL);
    int status = 0;
    if (!ended_) waitpid(pid_, &status, 0);
  }
  Start(const Start&) = delete;
  Start& operator=(const Start&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  // The command's child; 0: it has none.
  [[nodiscard]] pid_t child() const {
    const std::string self = std::to_string(pid_);
    std::ifstream children("/proc/" + self + "/task/" + self + "/children");
    pid_t child = 0;
    children >> child;
    return child;
  }
  // The same, once it has one. 0: it has ended before that could be seen.
  pid_t await_child() const {
    siginfo_t info{};
    pid_t found = 0;
    while ((found = child()) == 0) {
      if (waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
          info.si_pid == pid_)
        break;
    }
    return found;
  }
  // How it ended; "hung": it did not.
  std::string ending() {
    constexpr int kLimitMs = 20'000;
    const int handle = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
    pollfd end{handle, POLLIN, 0};
    const bool hung = poll(&end, 1, kLimitMs) == 0;
    close(handle);
    if (hung) return "hung";
    int status = 0;
    waitpid(pid_, &status, 0);
    ended_ = true;
    return WIFEXITED(status) ? "exit " + std::to_string(WEXITSTATUS(status))
                             : "signal " + std::to_string(WTERMSIG(status));
  }

 private:
  pid_t pid_ = -1;
  bool ended_ = false;
};

class Moments : public testing::TestWithParam<std::tuple<int, bool>> {};

// Between the command's fork and the program's exec. Many folders to search make that long.
TEST_P(Moments, ASignalToTheGroupIsTheProgramsAlsoBeforeItsExec) {
  const auto [signal, dynamic] = GetParam();
  std::string folders;
  for (int i = 0; i < 3'000; ++i) folders += "/nowhere/" + std::to_string(i) + ":";
  std::mt19937 random(4711);
  for (int i = 0; i < 20; ++i) {
    Start start(dynamic, folders);
    start.await_child();
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 3'000));
    kill(-start.pid(), signal);
    if (signal == SIGTSTP) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      kill(-start.pid(), SIGCONT);
    }
    const std::string ending = start.ending();
    ASSERT_TRUE(ending == "exit 7" || ending == "signal " + std::to_string(signal)) << ending;
  }
}

TEST_P(Moments, ASignalToTheProgramAlone) {
  const auto [signal, dynamic] = GetParam();
  std::mt19937 random(815);
  for (int i = 0; i < 25; ++i) {
    Start start(dynamic);
    const pid_t child = start.await_child();
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 10'000));
    if (child != 0) kill(child, signal);
    if (signal == SIGTSTP) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      kill(-start.pid(), SIGCONT);
    }
    const std::string ending = start.ending();
    ASSERT_TRUE(ending == "exit 7" || ending == "signal " + std::to_string(signal)) << ending;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Signals, Moments,
    testing::Combine(testing::Values(SIGTERM, SIGINT, SIGUSR1, SIGKILL, SIGTSTP), testing::Bool()),
    [](const auto& tested) {
      return "of" + std::to_string(std::get<0>(tested.param)) +
             (std::get<1>(tested.param) ? "_dynamic" : "_static");
    });

// A loader may be at work for long, and so is the command with it.
TEST(Start, WhileTheProgramLoadsSignalsArePassedOnAndItEndsWithTheCommand) {
  for (const int signal : {SIGTERM, SIGKILL}) {
    Start start(true, "", "sleeps");
    const pid_t child = start.await_child();
    const std::string process = "/proc/" + std::to_string(child);
    const auto sleeps = [&process] {
      std::ifstream file(process + "/syscall");
      int number = 0;
      return file >> number && number == SYS_clock_nanosleep;
    };
    ASSERT_NE(child, 0);
    ASSERT_TRUE(eventually(sleeps, "it loads"));
    kill(start.pid(), signal);
    EXPECT_EQ(start.ending(), "signal " + std::to_string(signal));
    const auto is_over = [&process] {
      std::ifstream stat(process + "/stat");
      std::string line;
      return !std::getline(stat, line) || line.find(") Z") != std::string::npos;
    };
    EXPECT_TRUE(eventually(is_over, "it has ended, too")) << signal;
  }
}

// Runs f with SIGTRAP ignored or blocked, which programs inherit.
HostRun inheriting(bool ignored, const std::function<HostRun()>& f) {
  sigset_t trap;
  sigemptyset(&trap);
  sigaddset(&trap, SIGTRAP);
  const auto before = std::signal(SIGTRAP, ignored ? SIG_IGN : SIG_DFL);
  sigprocmask(ignored ? SIG_UNBLOCK : SIG_BLOCK, &trap, nullptr);
  HostRun run = f();
  sigprocmask(SIG_UNBLOCK, &trap, nullptr);
  std::signal(SIGTRAP, before);
  return run;
}

// Whether the program has said so of SIGTRAP: "ignored PID 5".
bool has_sigtrap(const HostRun& run, const std::string& what) {
  for (const std::string& line : lines_of(run.out)) {
    if (line.starts_with(what + " ") && line.ends_with(" " + std::to_string(SIGTRAP))) return true;
  }
  return false;
}

// Tracing is often done by this signal.
TEST(Start, SigtrapIsTheProgramsOwn) {
  for (const bool ignored : {true, false}) {
    const HostRun run = inheriting(ignored, [] {
      return run_host("asks_static", {.arguments = {"state", "0"}});
    });
    // Whoever started the test may have others ignored: a shell does that behind "&".
    EXPECT_EQ(has_sigtrap(run, "ignored"), ignored) << run.out;
    EXPECT_EQ(has_sigtrap(run, "blocked"), !ignored) << run.out;
    EXPECT_FALSE(has_sigtrap(run, "pending")) << run.out;
    const HostRun counted = inheriting(ignored, [] {
      return run_host("asks_static", {.arguments = {"calls", "4000"}, .report = true});
    });
    EXPECT_EQ(counted.ending(), "exit 7");
    ASSERT_EQ(counted.reports.size(), 1U) << ignored << counted.err;
    EXPECT_EQ(calls_in_all(counted.reports.begin()->second), 7'000);
  }
}

TEST(Start, VectorRegistersAreAsTheKernelGivesThem) {
  const HostRun run = run_host("first_registers");
  EXPECT_EQ(run.ending(), "exit 0");
  EXPECT_EQ(run.err, "");
}

HostRun run_behind(const char* what, const std::string& host) {
  return run_host("behind",
                  {.arguments = {what, command(), "run", host_path(host), "calls", "4000"},
                   .environment = {{"CLOCKSHIM_LIBRARY", shim_path()}},
                   .shim = false,
                   .report = true});
}

// systemd's SystemCallFilter=@system-service is one.
TEST(Start, WhereTracingKillsTheProgramRunsWithout) {
  const HostRun run = run_behind("tracing_kills", "asks_static");
  if (run.exit_code == 77) GTEST_SKIP() << "no filter can be installed here";
  EXPECT_EQ(run.ending(), "exit 7") << run.out << run.err;
  EXPECT_NE(run.err.find("it can't be traced"), std::string::npos) << run.err;
}

// env(1) is no program that anybody asks about. Go's runtime asks for the time when it begins.
// Which finds names and lines of callers, all the same.
TEST(Start, TheCommandItselfNeedsLittleStack) {
  const HostRun run =
      run_host("/bin/sh", {.arguments = {"-c", "ulimit -s 64; exec \"$@\"", "sh", command(), "run",
                                         "--image", host_path("asks_dynamic"), "calls", "4000"},
                           .environment = {{"CLOCKSHIM_LIBRARY", shim_path()}},
                           .shim = false});
  EXPECT_EQ(run.ending(), "exit 7") << run.err;
  EXPECT_NE(run.err.find("asks_monotonic"), std::string::npos) << run.err;
}

TEST(Start, TheProgramOfAScriptIsServedAlsoBehindEnv) {
  if (!std::filesystem::exists(host_path("asks_go"))) GTEST_SKIP() << "no Go compiler was found";
  const TempDir folder;
  const std::string script = folder.path() / "script";
  for (const char* by : {"", "/usr/bin/env "}) {
    std::ofstream(script) << "#!" << by << host_path("asks_go") << "\n";
    std::filesystem::permissions(script, std::filesystem::perms::owner_all);
    const HostRun run = run_host(script, {.arguments = {"0"}, .report = true});
    ASSERT_EQ(run.reports.size(), 1U) << by << run.out << run.err;
    EXPECT_EQ(run.reports.begin()->second.at("program"), "asks_go") << by;
  }
}

TEST(Start, AProgramThatNeverAsksLeavesNothing) {
  const TempDir folder;
  std::filesystem::permissions(folder.path(), std::filesystem::perms::owner_all);
  for (const char* what : {"state", "nothing"}) {
    run_host("asks_static", {.arguments = {what, "0"},
                             .environment = {{"CLOCKSHIM_DIR", folder.path().string()}}});
    EXPECT_EQ(folder.files(), 0U) << what;
  }
}

// systemd's MemoryDenyWriteExecute= is one.
TEST(Start, WhereNothingMayBecomeCodeTheImageIsCodeFromTheBeginning) {
  const HostRun run = run_behind("no_new_code", "asks_static");
  if (run.exit_code == 77) GTEST_SKIP() << "the kernel can't forbid that";
  EXPECT_EQ(run.ending(), "exit 7") << run.out;
  EXPECT_EQ(run.err, "");
  ASSERT_EQ(run.reports.size(), 1U);
  EXPECT_EQ(calls_from(run.reports.begin()->second, "asks_monotonic", 8), 4'000);
}

// A report has no line's end in a name, so it does not find the file; the process's caller is
// known.
TEST(Start, CallersAreFoundWhateverTheProgramsNameIs) {
  const TempDir folder;
  const std::string program = folder.path() / "two\nlines and \\012";
  std::filesystem::copy_file(host_path("asks_static"), program);
  const HostRun run = run_host(program, {.arguments = {"calls", "4000"}, .report = true});
  ASSERT_EQ(run.reports.size(), 1U) << run.err;
  const Json& sites = run.reports.begin()->second.at("sites");
  const auto walked = [](const Json& site) {
    return site.at("calls") == 4'000 && site.at("frames").size() == 2;
  };
  EXPECT_EQ(std::count_if(sites.begin(), sites.end(), walked), 1) << sites.dump(1);
}

}  // namespace
}  // namespace clockshim::test
