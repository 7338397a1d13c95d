// Why: a Python program's functions have no machine frames of their own, and "who asks for the
// time" is a question about them. Counts are held against the program's own, function by function.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <iterator>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "cli/livefiles/live_dir.h"
#include "python_report.h"

namespace clockshim::test {
namespace {

// The python3 that meson found, Debian's own, and more by hand: TEST_PYTHONS, with ':' between
// them.
std::vector<std::string> pythons() {
  std::set<std::string> all;
  for (const char* variable : {"TEST_PYTHON", "TEST_PYTHONS"}) {
    const char* const value = std::getenv(variable);
    std::istringstream paths(value != nullptr ? value : "");
    for (std::string path; std::getline(paths, path, ':');) all.insert(path);
  }
  all.insert("/usr/bin/python3");
  std::erase_if(all, [](const std::string& path) { return access(path.c_str(), X_OK) != 0; });
  return {all.begin(), all.end()};
}

class Python : public testing::TestWithParam<std::string> {
 protected:
  HostRun run(const std::string& what, const std::map<std::string, std::string>& environment = {}) {
    const HostRun out =
        run_host(GetParam(), {.arguments = {"-S", host_path("python_callers.py"), what},
                              .environment = environment,
                              .report = true});
    EXPECT_EQ(out.ending(), "exit 0") << out.out << out.err;
    return out;
  }

  void SetUp() override {
    const HostRun version = run_host(
        GetParam(), {.arguments = {"-S", "-c", "import sys; print(sys.version_info >= (3, 11))"},
                     .shim = false});
    if (version.out != "True\n") GTEST_SKIP() << GetParam() << " is older than 3.11";
  }
};

// What the program says it asked, by process.
std::map<long, Counts> said(const HostRun& run) {
  std::map<long, Counts> all;
  for (const std::string& line : lines_of(run.out)) {
    std::istringstream words(line);
    std::string asked;
    std::string rest;
    long pid = 0;
    long times = 0;
    long at = 0;
    if (!(words >> asked >> pid >> times >> at) || asked != "asked" ||
        !std::getline(words >> std::ws, rest))
      continue;
    const std::size_t bar = rest.find('|');
    all[pid][rest.substr(bar + 1) + "|" + rest.substr(0, bar) + ":" + std::to_string(at)] = times;
  }
  return all;
}

// What the report says of the functions that the program has told: the innermost Python function of
// each site.
Counts told(const Json& report, const Counts& functions) {
  Counts all;
  for (const Json& site : report.at("sites")) {
    for (std::size_t i = 0; i < site.at("exact_frames"); ++i) {
      const Json& frame = site.at("frames")[i];
      if (!of_python(frame)) continue;
      if (functions.count(function_of(frame)) != 0)
        all[function_of(frame)] += site.at("calls").get<long>();
      break;
    }
  }
  return all;
}

void expect_as_said(const HostRun& run, std::size_t processes = 1) {
  const auto all = said(run);
  EXPECT_EQ(all.size(), processes) << run.out << run.err;
  for (const auto& [pid, functions] : all) {
    ASSERT_EQ(run.reports.count(pid), 1U) << run.err;
    const Json& report = run.reports.at(pid);
    EXPECT_EQ(told(report, functions), functions);
    EXPECT_EQ(report.at("dropped"), 0);
  }
}

long calls_of_clock(const Json& report, const std::string& clock) {
  long calls = 0;
  for (const Json& site : report.at("sites"))
    calls += site.at("clock") == clock ? site.at("calls").get<long>() : 0;
  return calls;
}

TEST_P(Python, FunctionsOfEveryKind) { expect_as_said(run("functions")); }
TEST_P(Python, ModuleLevel) { expect_as_said(run("module_level")); }
TEST_P(Python, Threads) { expect_as_said(run("in_threads")); }
TEST_P(Python, SignalHandlers) { expect_as_said(run("in_signal_handler")); }
TEST_P(Python, AForkedChildTellsItsOwn) { expect_as_said(run("forked"), 2); }
TEST_P(Python, CodeThatStandsWhereOtherCodeWas) { expect_as_said(run("short_lived")); }

TEST_P(Python, TimeOutsOfLocksAreNobodysButWaitedFor) {
  const HostRun host = run("time_outs");
  expect_as_said(host);
  long without_lock = 0;
  for (const Json& site : only_report(host).at("sites"))
    without_lock += site.at("clock") == "monotonic" && !of_python(counted_frame(site))
                        ? site.at("calls").get<long>()
                        : 0;
  EXPECT_GT(without_lock, 0) << "threads that wait for the interpreter's lock ask without it";
}

// Exact as ever, under the C function that they came through.
TEST_P(Python, MoreFunctionsThanThereIsRoomFor) {
  const HostRun host = run("too_many");
  const Json& report = only_report(host);
  EXPECT_EQ(report.at("clocks").at("boottime").at("calls"), 3000);
  EXPECT_EQ(calls_of_clock(report, "boottime"), 3000);
  EXPECT_EQ(report.at("dropped"), 0);
  long named = 0;
  for (const Json& site : report.at("sites"))
    named += site.at("clock") == "boottime" && of_python(counted_frame(site))
                 ? site.at("calls").get<long>()
                 : 0;
  EXPECT_GT(named, 300);
  EXPECT_LT(named, 512);
}

TEST_P(Python, TheInterpreterMayGoAwayBelowItsThreads) {
  for (int i = 0; i < 10; ++i) ASSERT_EQ(run("daemons").ending(), "exit 0");
}

// In a thread's second interpreter, 3.11 has no state of the thread's own that could be found: such
// calls count under the C function.
TEST_P(Python, SubInterpreters) {
  const HostRun host = run("sub_interpreter");
  expect_as_said(host);
  EXPECT_EQ(calls_of_clock(only_report(host), "boottime"), 80);
  for (const Json& site : only_report(host).at("sites")) {
    if (site.at("clock") == "boottime" && of_python(counted_frame(site))) {
      EXPECT_EQ(counted_frame(site).at("symbol"), "other");
    }
  }
}

// Names and all are in the live file.
TEST_P(Python, KilledItHasToldAllTheSame) {
  const TempDir folder;
  const HostRun host =
      run_host(GetParam(), {.arguments = {"-S", host_path("python_callers.py"), "killed"},
                            .environment = {{"CLOCKSHIM_DIR", folder.path()}}});
  EXPECT_EQ(host.ending(), "signal 9");
  long named = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    std::string problem;
    const auto file = cli::LiveFile::open(entry.path(), problem);
    ASSERT_TRUE(file) << problem;
    const Report report = file->report();
    for (const ReportSite& site : report.sites) {
      const ReportFrame& frame = site.frames.at(site.exact_frames - 1);
      if (frame.symbol == "plain" && frame.file == host_path("python_callers.py") &&
          site.clock == "realtime")
        named += static_cast<long>(site.calls);
    }
  }
  EXPECT_EQ(named, 500);
}

// Who asks, by default; and who called that, as first seen.
TEST_P(Python, TheCallersBehindAreThereAsFirstSeen) {
  const HostRun host = run("functions");
  bool found = false;
  for (const Json& site : only_report(host).at("sites")) {
    if (counted_frame(site).at("symbol") != "generator") continue;
    found = true;
    std::vector<std::string> behind;
    for (std::size_t i = site.at("exact_frames"); i < site.at("frames").size(); ++i)
      behind.push_back(site.at("frames")[i].at("symbol"));
    EXPECT_EQ(behind, (std::vector<std::string>{"outer_generator", "functions", "<module>"}))
        << site.dump(1);
  }
  EXPECT_TRUE(found);
}

// Sampled stacks are Python's, too: outside of the C function that asks there is nothing of the
// interpreter.
TEST_P(Python, StacksAreOfPythonFunctions) {
  const HostRun host = run("functions", {{"CLOCKSHIM_PROFILE", "stacks:1"}});
  expect_as_said(host);
  Counts stacks;
  for (const Json& stack : only_report(host).at("stacks")) {
    std::string functions;
    for (const Json& frame : stack.at("frames"))
      functions += of_python(frame) ? frame.at("symbol").get<std::string>() + " " : "";
    if (!functions.empty() && of_python(stack.at("frames").back()))
      stacks[functions] += stack.at("calls").get<long>();
  }
  EXPECT_EQ(stacks["generator outer_generator functions <module> "], 700);
  EXPECT_EQ(stacks["plain functions <module> "], 3000);
  EXPECT_EQ(stacks["Nested.method.<locals>.<lambda> Nested.method functions <module> "], 500);
}

TEST_P(Python, DepthCountsByThatManyFunctions) {
  const HostRun host = run("functions", {{"CLOCKSHIM_DEPTH", "3"}});
  expect_as_said(host);
  Counts chains;
  for (const Json& site : only_report(host).at("sites")) {
    std::string chain;
    for (std::size_t i = 0; i < site.at("exact_frames"); ++i) {
      if (of_python(site.at("frames")[i]))
        chain += site.at("frames")[i].at("symbol").get<std::string>() + " ";
    }
    chains[chain] += site.at("calls").get<long>();
  }
  EXPECT_EQ(chains["generator outer_generator functions "], 700);
  EXPECT_EQ(chains["recursive functions <module> "], 1);
  EXPECT_EQ(chains["recursive recursive functions "], 1);
  EXPECT_EQ(chains["recursive recursive recursive "], 49);
  EXPECT_EQ(chains["plain functions <module> "], 3000);
}

std::string name_of(const testing::TestParamInfo<std::string>& python) {
  std::string name;
  for (const char c : python.param)
    name += std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  return name;
}
INSTANTIATE_TEST_SUITE_P(Each, Python, testing::ValuesIn(pythons()), name_of);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Python);

}  // namespace
}  // namespace clockshim::test
