// `clockshim report --watch` as its users call it. The process stands still while a look is taken
// that has to be exact: no time is waited for but what the process itself needs to go on.
#include <gtest/gtest.h>

#include <csignal>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "cli/livefiles/live_dir.h"
#include "live_host.h"

namespace clockshim::test {
namespace {

using Json = nlohmann::json;

class ReportWatch : public testing::Test {
 protected:
  // In a terminal, where it says when it has begun.
  Running watch(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(),
                     {command_path(), "report", "--format", "json", "--output", out_});
    return Running(arguments, {"CLOCKSHIM_DIR=" + dir()}, On::terminal);
  }
  [[nodiscard]] Json read() const {
    std::ifstream file(out_);
    return Json::parse(file);
  }
  [[nodiscard]] std::uint64_t calls(const LiveHost& host) const { return calls(host.pid()); }
  [[nodiscard]] std::uint64_t calls(pid_t pid) const {
    std::string problem;
    const auto paths = cli::live_files_of(pid, {dir()});
    const auto file = cli::LiveFile::open(paths.at(0), problem);
    return file->report().calls();
  }
  // Goes on for a while, and stands still again. Nothing here depends on how long that is.
  std::uint64_t let_count(const LiveHost& host, std::uint64_t more) const {
    const std::uint64_t before = calls(host);
    kill(host.pid(), SIGCONT);
    while (calls(host) < before + more) usleep(1000);
    stop(host);
    return calls(host);
  }
  static void stop(const LiveHost& host) {
    kill(host.pid(), SIGSTOP);
    // Until the kernel has stopped it.
    for (std::string state; state != "T";) {
      std::ifstream stat("/proc/" + host.number() + "/stat");
      std::string pid, name;
      if (!(stat >> pid >> name >> state) || state == "Z")
        throw std::runtime_error("the host is gone");
    }
  }
  [[nodiscard]] std::string dir() const { return folder_.path().string(); }

 private:
  TempDir folder_;
  TempDir outside_;
  std::string out_ = outside_.path("report.json");
};

std::uint64_t sum(const Json& numbers) {
  std::uint64_t out = 0;
  for (const Json& number : numbers) out += number.get<std::uint64_t>();
  return out;
}

TEST_F(ReportWatch, TellsEachCallThatWasMadeWhileItLooked) {
  LiveHost host(dir(), "first");
  stop(host);
  const std::uint64_t before = calls(host);
  Running command = watch({"--watch", "3600s", "--interval", "1s", host.number()});
  ASSERT_TRUE(command.wait_for("watching first for 3600s; Ctrl-C ends it"));
  const std::uint64_t after = let_count(host, 2000);
  kill(command.pid(), SIGINT);
  const Ending ending = command.finish();
  EXPECT_EQ(ending.exit_code, 0) << ending.out;
  const Json report = read();
  const Json& rates = report["rates"];
  EXPECT_EQ(rates["interval"], 1.0);
  EXPECT_EQ(report["state"], "running");
  EXPECT_EQ(sum(rates["clocks"]["monotonic"]) + sum(rates["clocks"]["realtime"]), after - before);
  EXPECT_EQ(rates["clocks"]["monotonic"].size(), rates["times"].size());
  ASSERT_EQ(rates["callers"].size(), 2U);
  EXPECT_EQ(rates["callers"][0]["caller"], "busy_caller");
  EXPECT_EQ(rates["callers"][0]["clock"], "monotonic");
  EXPECT_EQ(sum(rates["callers"][0]["calls"]), sum(rates["clocks"]["monotonic"]));
  EXPECT_EQ(rates["callers"][1]["function"], "gettimeofday");
}

TEST_F(ReportWatch, EndsWithTheProcessAndHasItsLastCall) {
  LiveHost host(dir(), "first");
  stop(host);
  Running command = watch({"--watch", "3600s", "--interval", "3600s", host.number()});
  ASSERT_TRUE(command.wait_for("watching first"));
  let_count(host, 1);
  const pid_t pid = host.pid();
  kill(pid, SIGUSR1);
  kill(pid, SIGCONT);
  host.finish();
  const Ending ending = command.finish();
  EXPECT_EQ(ending.exit_code, 0) << ending.out;
  EXPECT_EQ(read()["state"], "ended");
  EXPECT_EQ(read()["clocks"]["monotonic"]["calls"], calls(pid) * 10 / 11);
  EXPECT_EQ(read()["rates"]["times"].size(), 1U);
}

TEST_F(ReportWatch, EndsWithAProcessThatIsKilled) {
  LiveHost host(dir(), "first");
  Running command = watch({"--watch", "3600s", host.number()});
  ASSERT_TRUE(command.wait_for("watching first"));
  kill(host.pid(), SIGKILL);
  host.finish();
  EXPECT_EQ(command.finish().exit_code, 0);
  EXPECT_EQ(read()["state"], "lost");
}

TEST_F(ReportWatch, LooksAtSeveralInTheSameMomentsSoThatTheyCanBeMerged) {
  LiveHost host(dir(), "first");
  LiveHost other(dir(), "second");
  stop(host);
  stop(other);
  const std::uint64_t before = calls(host) + calls(other);
  Running command = watch({"--watch", "3600s", "--merge", host.number(), other.number()});
  ASSERT_TRUE(command.wait_for("watching 2 processes"));
  const std::uint64_t after = let_count(host, 1000) + let_count(other, 1000);
  kill(command.pid(), SIGTERM);
  EXPECT_EQ(command.finish().exit_code, 0);
  EXPECT_EQ(
      sum(read()["rates"]["clocks"]["monotonic"]) + sum(read()["rates"]["clocks"]["realtime"]),
      after - before);
  EXPECT_EQ(read()["rates"]["callers"].size(), 2U);
}

TEST_F(ReportWatch, ShowsTheRatesInATableAndDrawsThemOnAPage) {
  LiveHost host(dir(), "first");
  const std::string folder = "CLOCKSHIM_DIR=" + dir();
  const Ending table = run_clockshim({"report", "--watch", "200ms", host.number()}, {folder});
  EXPECT_EQ(table.exit_code, 0) << table.err;
  EXPECT_EQ(table.err, "") << "nothing is said where standard error is no terminal";
  EXPECT_NE(table.out.find("\nwatched for 0.2 s, in "), std::string::npos) << table.out;
  const Ending page =
      run_clockshim({"report", "--watch", "50ms", "--format", "html", host.number()}, {folder});
  EXPECT_EQ(count_of(page.out, "<svg class=\"rates\""), 2U);
}

TEST_F(ReportWatch, RefusesWhatCantBe) {
  LiveHost host(dir(), "first");
  const auto refused = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "report");
    const Ending ending = run_clockshim(arguments, {"CLOCKSHIM_DIR=" + dir()});
    EXPECT_EQ(ending.exit_code, 2);
    EXPECT_EQ(ending.out, "");
    EXPECT_EQ(count_of(ending.err, "\n"), 1U) << ending.err;
    return ending.err;
  };
  EXPECT_EQ(refused({"--watch", "soon", host.number()}),
            "clockshim: --watch \"soon\": must be a duration from 10ms to 3600s, such as 30s\n");
  EXPECT_EQ(refused({"--watch", "0", host.number()}),
            "clockshim: --watch \"0\": must be a duration from 10ms to 3600s, such as 30s\n");
  EXPECT_EQ(refused({"--watch", "", host.number()}),
            "clockshim: --watch \"\": must be a duration from 10ms to 3600s, such as 30s\n");
  EXPECT_EQ(refused({"--interval", "1s", host.number()}),
            "clockshim: --interval \"1s\": must be with --watch, which looks so often\n");
  EXPECT_EQ(refused({"--watch", "2s", "--interval", "3s", host.number()}),
            "clockshim: --interval \"3s\": must be a duration from 10ms to that of --watch, 2s\n");
  EXPECT_EQ(
      refused({"--watch", "3600s", "--interval", "10ms", host.number()}),
      "clockshim: --interval \"10ms\": must be a duration from 360ms to that of --watch, 3600s\n");
  EXPECT_EQ(refused({"--watch", "1s", "./a.json"}),
            "clockshim: --watch: must have a process that runs, and \"./a.json\" is a file\n");
  EXPECT_EQ(refused({"--watch", "1s", "--children", host.number()}),
            "clockshim: --children: can't be watched, as they come and go: name the processes that "
            "--watch is to look at\n");
  const std::string gone = std::to_string(dead_pid());
  EXPECT_EQ(refused({"--watch", "1s", gone}),
            "clockshim: report " + gone +
                ": must be a process that is served now: no such process runs, and none has left a "
                "live file in " +
                dir() + "\n");
}

}  // namespace
}  // namespace clockshim::test
