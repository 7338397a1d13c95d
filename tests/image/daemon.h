// Hosts that run already, and what the command does with them.
#pragma once

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

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
#include <utility>
#include <vector>

#include "alone.h"

namespace clockshim::test {

inline std::string content(const std::string& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Waits until it is so. False, and the test has failed: it never was.
template <class F>
bool eventually(F is_so, const std::string& what) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!is_so()) {
    if (std::chrono::steady_clock::now() > deadline) {
      ADD_FAILURE() << "never: " << what;
      return false;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
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
    // Another user's daemon is given the folder (tests/hosts/carry).
    std::filesystem::permissions(dir_.path(), std::filesystem::perms(0711));
    std::filesystem::create_directory(live_folder());
    pid_ = fork();
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (std::freopen(out.c_str(), "w", stdout) == nullptr ||
          std::freopen("/dev/null", "r", stdin) == nullptr)
        _exit(126);
      unsetenv("LD_PRELOAD");
      setenv("CLOCKSHIM_DIR", live_folder().c_str(), 1);
      std::vector<char*> argv;
      for (auto& argument : arguments) argv.push_back(argument.data());
      argv.push_back(nullptr);
      prepare();
      execv(argv[0], argv.data());
      _exit(127);
    }
    await("ready");
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
  // What the host has said of this word, and who of its processes; -1: nobody has said it.
  [[nodiscard]] long number(const std::string& word) const { return line_of(word).second; }
  [[nodiscard]] long pid_of(const std::string& word) const { return line_of(word).first; }
  // Waits until it is said. False, and the test has failed: it is not.
  bool await(const std::string& word) const {
    return eventually([&] { return pid_of(word) > 0; }, word + " is not said: " + said());
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
  [[nodiscard]] std::pair<long, long> line_of(const std::string& word) const {
    std::istringstream lines(said());
    std::string name;
    long pid = 0;
    long number = 0;
    while (lines >> name >> pid >> number) {
      if (name == word) return {pid, number};
    }
    return {-1, -1};
  }

  TempDir dir_;
  pid_t pid_ = -1;
  bool ended_ = false;
};

struct Said {
  int status = -1;
  std::string text;
};

// Runs our command once; its live files are in the daemon's folder.
inline Said command_once(const Daemon& daemon, const std::string& words) {
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
inline Said command(const Daemon& daemon, const std::string& words) {
  constexpr int kTries = 50;
  Said said;
  for (int i = 0; i < kTries; ++i) {
    said = command_once(daemon, words);
    if (said.status == 0 || said.text.find("does not stop") == std::string::npos) break;
  }
  return said;
}

inline std::string number_of(const Daemon& daemon) { return std::to_string(daemon.pid()); }
inline Said attach(const Daemon& daemon, const std::string& options = "") {
  return command(daemon, "attach " + options + " " + number_of(daemon));
}
inline Said detach(const Daemon& daemon) { return command(daemon, "detach " + number_of(daemon)); }
inline Json report(const Daemon& daemon) {
  const Said said = command(daemon, "report --format json " + number_of(daemon));
  return said.status == 0 ? Json::parse(said.text, nullptr, false) : Json();
}
// Waits until the daemon's report has calls of this function.
inline void await_calls_by(const Daemon& daemon, const std::string& function) {
  eventually(
      [&] {
        const Json now = report(daemon);
        return now.is_object() && calls_by(now, function) > 0;
      },
      "calls by " + function);
}

inline void expect_nothing_wrong(Daemon& daemon) {
  EXPECT_EQ(daemon.end(), "exit 7") << daemon.said();
  for (const char* const word : {"turns", "sleeps", "reads", "polls", "waits", "children"})
    EXPECT_GT(daemon.number(word), 0) << word;
}

// Whether we may trace what we have not started ourselves: with Yama, only root may.
inline bool may_attach() {
  const std::string scope = content("/proc/sys/kernel/yama/ptrace_scope");
  return geteuid() == 0 || scope.empty() || scope.starts_with('0');
}

class Attach : public testing::Test {
 protected:
  void SetUp() override {
    if (!may_attach()) GTEST_SKIP() << "needs root here (kernel.yama.ptrace_scope)";
  }
};

}  // namespace clockshim::test
