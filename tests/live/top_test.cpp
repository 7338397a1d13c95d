// `clockshim top` for scripts: one table, or an object a line.
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "live_host.h"

namespace clockshim::test {
namespace {

using Json = nlohmann::json;

// A look between whose two samples the host has run, which on a busy machine not every one is.
Json busy_look(const std::vector<std::string>& command) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  for (;;) {
    const Json look = Json::parse(run_clockshim(command).out);
    if (look["processes"].at(0)["calls_per_s"] > 0 || std::chrono::steady_clock::now() > deadline)
      return look;
  }
}

TEST(TopOnce, HasALineAProcess) {
  const TempDir dir;
  dead_file(dir);
  LiveHost host(dir.path().string(), "first");
  LiveHost other(dir.path().string(), "second");
  const Ending ending =
      run_clockshim({"top", "--once", "--interval", "100ms", "--dir", dir.path().string()});
  EXPECT_EQ(ending.exit_code, 0);
  EXPECT_EQ(count_of(ending.out, "\n"), 4U)
      << "the sums, a heading, two processes, and none that is gone: " << ending.out;
  EXPECT_EQ(ending.out.find("2 processes  "), 0U) << ending.out;
  const std::string line = line_with(ending.out, "first");
  EXPECT_NE(line.find(host.number()), std::string::npos);
  EXPECT_NE(line.find("coherent"), std::string::npos) << line;
  EXPECT_NE(line.find("monotonic 91% realtime 9%"), std::string::npos) << line;
  EXPECT_NE(line.find("1.2"), std::string::npos) << "its worst error, in us: " << line;
  EXPECT_NE(ending.out.find("  calls/s   saved  "), std::string::npos) << ending.out;
  EXPECT_LT(line.find('%'), line.find("coherent")) << "the share of a core saved: " << line;
  EXPECT_LT(line.find("coherent"), 80U) << line;
}

TEST(TopOnce, IsAsWideAsTheTerminal) {
  const TempDir dir;
  LiveHost host(dir.path().string(), "first");
  for (const std::size_t columns : {60, 80, 200}) {
    const auto top = [&](const std::string& word) {
      return run_on_terminal(columns, {"top", "--once", "--interval", "10ms", "--dir",
                                       dir.path().string(), word})
          .out;
    };
    EXPECT_LE(widest_line(top("--all")), columns);
    EXPECT_EQ(line_with(top("--all"), "first").find("monotonic 91%") != std::string::npos,
              columns == 200);
    const std::string callers = top(host.number());
    EXPECT_LE(widest_line(callers), columns) << callers;
    EXPECT_NE(callers.find("resyncs/s"), std::string::npos) << "wrapped, not cut: " << callers;
  }
}

TEST(TopOnce, IsWhatAPipeGets) {
  const TempDir dir;
  LiveHost host(dir.path().string(), "first");
  EXPECT_NE(
      run_clockshim({"top", "--interval", "10ms", "--dir", dir.path().string()}).out.find("first"),
      std::string::npos);
}

TEST(TopOnce, RatesAreBetweenTwoLooks) {
  const TempDir dir;
  LiveHost host(dir.path().string(), "first");
  // So that there are calls before the first look.
  while (
      Json::parse(run_clockshim({"list", "--json", "--dir", dir.path().string()}).out)["files"].at(
          0)["calls"] == 0) {
  }
  const Json look =
      busy_look({"top", "--once", "--json", "--interval", "200ms", "--dir", dir.path().string()});
  const Json& process = look["processes"].at(0);
  EXPECT_EQ(process["pid"], host.pid());
  EXPECT_GE(look["seconds"], 0.19);
  EXPECT_GT(process["calls_per_s"], 0);
  EXPECT_GT(process["resyncs_per_s"], 0);
  EXPECT_NEAR(process["clocks"]["monotonic"]["calls_per_s"].get<double>() /
                  process["calls_per_s"].get<double>(),
              100.0 / 110, 0.01);
  EXPECT_LT(process["calls_per_s"].get<double>() * look["seconds"].get<double>(),
            process["calls"].get<double>() - 1);
  EXPECT_EQ(process["max_error_ns"], 1234);
  EXPECT_GT(process["cpu_saved_ns"], 0);
  const double saved_a_second = process["clocks"]["monotonic"]["calls_per_s"].get<double>() * 2000 -
                                process["resyncs_per_s"].get<double>() * 2025;
  EXPECT_NEAR(process["cpu_saved_share"].get<double>(), saved_a_second / 1e9,
              0.02 * saved_a_second / 1e9);
}

TEST(TopOnce, NamesTheCallersOfAProcess) {
  const TempDir dir;
  LiveHost host(dir.path().string(), "first");
  const Ending text = run_clockshim(
      {"top", "--once", "--interval", "50ms", "--dir", dir.path().string(), host.number()});
  EXPECT_NE(line_with(text.out, "busy_caller").find("monotonic"), std::string::npos) << text.out;
  EXPECT_NE(line_with(text.out, "busy_caller").find("90.9%"), std::string::npos) << text.out;
  EXPECT_NE(line_with(text.out, "busy_caller").find("live_program"), std::string::npos) << text.out;
  EXPECT_EQ(text.out.find("first[" + host.number() + "] running"), 0U) << text.out;
  EXPECT_NE(text.out.find("  CPU saved "), std::string::npos) << text.out;

  const Json look = busy_look({"top", "--once", "--json", "--interval", "50ms", "--dir",
                               dir.path().string(), host.number()});
  const Json& callers = look["processes"].at(0)["callers"];
  ASSERT_EQ(callers.size(), 2U);
  EXPECT_EQ(callers[0]["caller"], "busy_caller");
  EXPECT_EQ(callers[0]["clock"], "monotonic");
  EXPECT_EQ(callers[1]["caller"], "rare_caller");
  EXPECT_EQ(callers[1]["function"], "gettimeofday");
  EXPECT_NEAR(callers[0]["share"].get<double>() + callers[1]["share"].get<double>(), 1, 1e-9);
  EXPECT_GT(callers[1]["calls_per_s"], 0);
}

TEST(TopJson, HasAnObjectALineUntilTheProcessIsGone) {
  const TempDir dir;
  LiveHost host(dir.path().string(), "first");
  Running top({command_path(), "top", "--json", "--interval", "20ms", "--dir", dir.path().string(),
               host.number()});
  ASSERT_TRUE(top.wait_for("}\n{"));
  kill(host.pid(), SIGUSR1);
  host.finish();
  const Ending ending = top.finish();
  EXPECT_EQ(ending.exit_code, 0);
  std::istringstream lines(ending.out);
  Json last;
  int looks = 0;
  for (std::string line; std::getline(lines, line); ++looks) last = Json::parse(line);
  EXPECT_GE(looks, 2);
  EXPECT_EQ(last["processes"].at(0)["state"], "ended");
}

TEST(Top, RefusesWhatCantBe) {
  const TempDir dir;
  const auto refused = [&](const std::vector<std::string>& arguments) {
    std::vector<std::string> all{"top", "--once", "--dir", dir.path().string()};
    all.insert(all.end(), arguments.begin(), arguments.end());
    const Ending ending = run_clockshim(all);
    EXPECT_EQ(ending.exit_code, 2);
    EXPECT_EQ(ending.out, "");
    EXPECT_EQ(count_of(ending.err, "\n"), 1U) << ending.err;
    return ending.err;
  };
  EXPECT_NE(refused({"--interval", "soon"}).find("--interval \"soon\": must be a duration"),
            std::string::npos);
  EXPECT_NE(refused({"--interval", "1us"}).find("at least 10ms"), std::string::npos);
  EXPECT_NE(refused({"no-such-program"}).find("top \"no-such-program\": no program of this name"),
            std::string::npos);
  EXPECT_NE(refused({"-7"}).find("-7"), std::string::npos);
  EXPECT_NE(
      refused({std::to_string(dead_pid())})
          .find("no such process runs, and none has left a live file in " + dir.path().string()),
      std::string::npos);
  EXPECT_NE(refused({dir.path("a.json")}).find("must be a process that runs"), std::string::npos);
}

TEST(Top, IsEmptyWhereNobodyRuns) {
  const TempDir dir;
  const Ending ending =
      run_clockshim({"top", "--once", "--interval", "10ms", "--dir", dir.path().string()});
  EXPECT_EQ(ending.exit_code, 0);
  EXPECT_EQ(count_of(ending.out, "\n"), 2U);
  EXPECT_EQ(ending.out.find("0 processes  0 calls/s  0.0% of a core saved\n"), 0U) << ending.out;
}

TEST(Top, HasATableAnIntervalWhereTheTerminalCantMoveItsCursor) {
  const TempDir dir;
  LiveHost host(dir.path().string(), "first");
  Running top(
      {command_path(), "top", "--interval", "20ms", "--dir", dir.path().string(), host.number()},
      {"TERM=dumb"}, On::terminal);
  ASSERT_TRUE(top.wait_for("\nfirst[" + host.number() + "] running"));
  kill(host.pid(), SIGUSR1);
  host.finish();
  const Ending ending = top.finish();
  EXPECT_EQ(ending.exit_code, 0);
  EXPECT_EQ(ending.out.find('\x1b'), std::string::npos) << "no control sequence: " << ending.out;
}

}  // namespace
}  // namespace clockshim::test
