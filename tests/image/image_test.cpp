// Programs that take no preload: static ones, musl's, Go's. The command puts the image into them,
// and then they are served and counted as others are.
#include <elf.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "../preload/run_host.h"

namespace clockshim::test {
namespace {

bool is_there(const std::string& host) { return std::filesystem::exists(host_path(host)); }

long served(const Json& report) {
  long sum = 0;
  for (const auto& clock : report.at("clocks")) sum += clock.at("served").get<long>();
  return sum;
}

// Calls of a function of the host's, behind whatever wrappers.
long calls_by(const Json& report, const std::string& function) {
  return calls_from(report, function, 8);
}

// The only report of a run.
Json report_of(const HostRun& run) {
  EXPECT_EQ(run.reports.size(), 1U) << run.out << run.err;
  return run.reports.empty() ? Json() : run.reports.begin()->second;
}

HostRun run_alone(const std::string& host, std::vector<std::string> arguments,
                  std::map<std::string, std::string> environment = {}) {
  HostRun run = run_host(
      host,
      {.arguments = std::move(arguments), .environment = std::move(environment), .report = true});
  EXPECT_EQ(run.err, "");
  return run;
}

// What is there depends on the compilers that are there.
class Alone : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!is_there(GetParam())) GTEST_SKIP() << "no compiler for it was found";
  }
};

TEST_P(Alone, CallersAndCountsAreExact) {
  const HostRun run = run_alone(GetParam(), {"calls", "40000"});
  EXPECT_EQ(run.ending(), "exit 7") << run.out << run.err;
  const Json report = report_of(run);
  EXPECT_EQ(calls_in_all(report), 70'000);
  EXPECT_EQ(calls_by(report, "asks_monotonic"), 40'000);
  EXPECT_EQ(calls_by(report, "asks_timeofday"), 20'000);
  EXPECT_EQ(calls_by(report, "asks_coarse"), 10'000);
  EXPECT_EQ(report.at("state"), "ended");
  if (report.at("mode") == "passthrough") {
    EXPECT_EQ(served(report), 0);
  } else {
    EXPECT_GT(served(report), 0);
  }
}

// Each CPU counts in a table of its own, and tables begin anywhere in a page.
TEST_P(Alone, CountsAreExactOnEachCpu) {
  cpu_set_t before;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  for (std::size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &before)) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
    const Json report = report_of(run_alone(GetParam(), {"calls", "4000"}));
    EXPECT_EQ(calls_in_all(report), 7'000) << cpu;
    EXPECT_EQ(calls_by(report, "asks_monotonic"), 4'000) << cpu;
  }
  ASSERT_EQ(sched_setaffinity(0, sizeof before, &before), 0);
}

TEST_P(Alone, Threads) {
  const HostRun run = run_alone(GetParam(), {"threads", "50000"});
  EXPECT_EQ(run.ending(), "exit 7") << run.out << run.err;
  EXPECT_EQ(calls_by(report_of(run), "asks_monotonic"), 200'000);
}

TEST_P(Alone, ThreadsOfSmallStacks) {
  const HostRun run = run_alone(GetParam(), {"small_stacks", "50000"});
  EXPECT_EQ(run.ending(), "exit 7") << run.out << run.err;
}

TEST_P(Alone, AForkedChildIsCountedWithItsParent) {
  const HostRun run = run_alone(GetParam(), {"fork", "30000"});
  EXPECT_EQ(run.ending(), "exit 7") << run.out << run.err;
  EXPECT_EQ(calls_by(report_of(run), "asks_monotonic"), 60'000);
}

TEST_P(Alone, HandlersAskInTheMiddleOfACall) {
  const HostRun run = run_alone(GetParam(), {"signals", "1000000"});
  EXPECT_EQ(run.ending(), "exit 7") << run.out << run.err;
  const auto handled = numbers_by_process(run, "handled");
  ASSERT_EQ(handled.size(), 1U);
  EXPECT_EQ(calls_by(report_of(run), "asks_monotonic"), 1'000'000 + handled.begin()->second);
}

TEST_P(Alone, AKilledOneLeavesItsCounts) {
  const HostRun run = run_alone(GetParam(), {"kill", "30000"});
  EXPECT_EQ(run.ending(), "signal 9") << run.out << run.err;
  const Json report = report_of(run);
  EXPECT_EQ(calls_by(report, "asks_monotonic"), 30'000);
  EXPECT_EQ(report.at("state"), "lost");
}

TEST_P(Alone, ItFindsEverythingAsItWouldWithoutUs) {
  HostRun bare =
      run_host(GetParam(), {.arguments = {"state", "0"}, .shim = false, .report = false});
  HostRun run = run_host(GetParam(), {.arguments = {"state", "0"}});
  const auto without_pids = [](const HostRun& of) {
    std::string out;
    for (const std::string& line : lines_of(of.out))
      out += line.substr(0, line.find(' ')) + line.substr(line.rfind(' ')) + "\n";
    return out;
  };
  EXPECT_EQ(without_pids(run), without_pids(bare));
  EXPECT_EQ(run.err, "");
}

TEST_P(Alone, AfterExecTheCountsOfBeforeAreTold) {
  const HostRun run = run_alone(GetParam(), {"exec", "30000"});
  EXPECT_EQ(run.ending(), "exit 7") << run.out << run.err;
  EXPECT_EQ(calls_by(report_of(run), "asks_monotonic"), 30'000);
}

TEST_P(Alone, ToleranceZeroOnlyCounts) {
  const HostRun run = run_alone(GetParam(), {"calls", "4000"}, {{"CLOCKSHIM_TOLERANCE", "0"}});
  const Json report = report_of(run);
  EXPECT_EQ(report.at("mode"), "passthrough");
  EXPECT_EQ(calls_in_all(report), 7'000);
  EXPECT_EQ(served(report), 0);
}

TEST_P(Alone, WhatIsNotToBeCountedOrServedIsNot) {
  EXPECT_TRUE(
      run_alone(GetParam(), {"calls", "4000"}, {{"CLOCKSHIM_PROFILE", "off"}}).reports.empty());
  const std::string name = std::filesystem::path(host_path(GetParam())).filename();
  const HostRun run = run_host(
      GetParam(),
      {.arguments = {"calls", "4000"}, .environment = {{"CLOCKSHIM_SKIP", name}}, .report = true});
  EXPECT_EQ(run.ending(), "exit 7");
  EXPECT_TRUE(run.reports.empty());
}

TEST_P(Alone, NothingStaysBehind) {
  const TempDir folder;
  std::filesystem::permissions(folder.path(), std::filesystem::perms::owner_all);
  for (const char* what : {"calls", "fork", "exec"})
    run_alone(GetParam(), {what, "1000"}, {{"CLOCKSHIM_DIR", folder.path().string()}});
  EXPECT_EQ(folder.files(), 0U);
}

INSTANTIATE_TEST_SUITE_P(Kinds, Alone,
                         testing::Values("asks_static", "asks_static_pie", "asks_musl",
                                         "asks_musl_static", "asks_dynamic"),
                         [](const auto& kind) { return std::string(kind.param); });

Json report_of_program(const HostRun& run) {
  for (const auto& [pid, report] : run.reports) {
    if (report.at("program") == "asks_dynamic") return report;
  }
  ADD_FAILURE() << "no report: " << run.err;
  return {};
}

// Programs that would take a preload, and get the image because that is asked for.
TEST(AloneOnRequest, TheLibraryStaysOut) {
  const HostRun run =
      run_host("asks_dynamic",
               {.arguments = {"calls", "4000"}, .preload_before = shim_path(), .report = true});
  EXPECT_EQ(run.ending(), "exit 7") << run.err;
  // The command has it itself, as it was started so.
  EXPECT_EQ(std::count_if(run.reports.begin(), run.reports.end(),
                          [](const auto& one) { return one.second["program"] == "asks_dynamic"; }),
            1);
  EXPECT_EQ(calls_in_all(report_of_program(run)), 7'000);
}

// What a library does before the program begins; the command is at work meanwhile.
HostRun run_behind_library(const char* what) {
  const HostRun run = run_host("asks_dynamic", {.arguments = {"calls", "4000"},
                                                .environment = {{"BEFORE_MAIN", what}},
                                                .preload_before = host_path("before_main.so"),
                                                .report = true});
  EXPECT_EQ(run.ending(), "exit 7") << what << run.out << run.err;
  return run;
}
TEST(AloneOnRequest, WhateverHappensBeforeItBeginsItIsServedThen) {
  for (const char* const what : {"execs", "forks", "reads", "nothing"}) {
    const Json report = report_of_program(run_behind_library(what));
    EXPECT_EQ(calls_by(report, "asks_monotonic"), 4'000) << what;
    EXPECT_GT(served(report), 0) << what;
  }
}

TEST(AloneOnRequest, WithThreadsOrFiltersBeforeItBeginsOrTooLateItRunsWithout) {
  EXPECT_NE(run_behind_library("dawdles").err.find("it has not begun in ten seconds"),
            std::string::npos);
  EXPECT_NE(run_behind_library("thread").err.find("it has threads before it has begun"),
            std::string::npos);
  const HostRun run = run_behind_library("filters");
  EXPECT_NE(run.err.find("it has put itself behind a filter"), std::string::npos) << run.err;
}

// More callers than there is room for: the others count together.
TEST(AloneWithMany, EachCallIsCountedUnderItsCallerOrAmongOthers) {
  // What threads do when they meet is different each time.
  for (int i = 0; i < 10; ++i) {
    const char* const how = i == 0 ? "module" : "threads";
    const HostRun run = run_alone("full_tables", {how, "1500", "3"});
    EXPECT_EQ(run.ending(), "exit 0") << run.out << run.err;
    expect_exact_counts(run, 1);
    EXPECT_EQ(report_of(run).at("dropped"), 0) << how;
    EXPECT_GT(calls_from(report_of(run), "other callers"), 0);
  }
}

// As tini and gosu do in containers. A program of musl does not start under a preload made for
// glibc, so where there may be one, none is handed on.
TEST(AloneAsAStarter, WhatItExecutesStartsWhateverItIs) {
  for (const char* const host : {"asks_dynamic", "asks_musl", "asks_musl_static"}) {
    if (!is_there(host)) continue;
    const HostRun run =
        run_host("asks_static", {.arguments = {"start", "3000", host_path(host), "calls", "4000"}});
    EXPECT_EQ(run.ending(), "exit 7") << host << run.out << run.err;
  }
}

TEST(AloneAsAStarter, WhatItExecutesIsServedByTheLibraryWhereThereIsNoMusl) {
  const TempDir dir;
  const std::string file = dir.path("all.json");
  // musl's loader is hidden from the command, and from what it starts.
  const std::string hidden = "mount --bind /dev/null /lib/ld-musl-x86_64.so.1 && exec \"$@\"";
  const bool musl = std::filesystem::exists("/lib/ld-musl-x86_64.so.1");
  std::vector<std::string> arguments{std::getenv("CLOCKSHIM_TEST_COMMAND"),
                                     "run",
                                     host_path("asks_static"),
                                     "start",
                                     "3000",
                                     host_path("asks_dynamic"),
                                     "calls",
                                     "400000"};
  if (musl && geteuid() != 0) GTEST_SKIP() << "needs root, to hide musl";
  if (musl) {
    const std::vector<std::string> before{"--mount", "--", "sh", "-c", hidden, "sh"};
    arguments.insert(arguments.begin(), before.begin(), before.end());
  }
  const std::string program = musl ? "/usr/bin/unshare" : arguments.front();
  if (!musl) arguments.erase(arguments.begin());
  const HostRun run = run_host(
      program, {.arguments = arguments,
                .environment = {{"CLOCKSHIM_REPORT", file}, {"CLOCKSHIM_LIBRARY", shim_path()}},
                .shim = false});
  EXPECT_EQ(run.ending(), "exit 7") << run.out;
  EXPECT_EQ(run.err, "");
  std::ifstream in(file);
  const Json report = Json::parse(in, nullptr, false);
  ASSERT_TRUE(report.is_object()) << file;
  EXPECT_EQ(calls_in_all(report), 703'000) << report.dump(1);
  EXPECT_EQ(calls_by(report, "asks_monotonic"), 403'000);
  EXPECT_EQ(calls_by(report, "asks_timeofday"), 200'000);
  EXPECT_GT(served(report), 3'000) << "more than what the starter has asked for";
}

TEST(AloneStripped, CountsAreExactWithoutNames) {
  const Json report = report_of(run_alone("asks_static_stripped", {"calls", "40000"}));
  EXPECT_EQ(calls_in_all(report), 70'000);
}

class AloneInGo : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!is_there(GetParam())) GTEST_SKIP() << "no Go compiler was found";
  }
};

// Each time.Now() is a reading of both clocks, each time.Since() one of the monotonic clock.
TEST_P(AloneInGo, FunctionsAreTheCallers) {
  const HostRun run = run_alone(GetParam(), {"calls", "40000"});
  EXPECT_EQ(run.ending(), "exit 0") << run.out << run.err;
  const Json report = report_of(run);
  EXPECT_EQ(calls_by(report, "main.asksNow"), 160'000) << report.dump(1);
  EXPECT_EQ(calls_by(report, "main.asksNowToo"), 80'000);
  EXPECT_EQ(calls_by(report, "main.asksSince"), 80'000);
  EXPECT_EQ(calls_by(report, "main.asksSinceToo"), 40'000);
  long backward = -1;
  for (const auto& [pid, number] : numbers_by_process(run, "backward")) backward = number;
  EXPECT_EQ(backward, 0);
}

TEST_P(AloneInGo, GoroutinesThatHandReadingsOverReadForward) {
  for (const char* counters : {"auto", "disagree"}) {
    for (const char* threads : {"1", "2", "4"}) {
      const HostRun run = run_alone(GetParam(), {"handoffs", "200000"},
                                    {{"GOMAXPROCS", threads}, {"CLOCKSHIM_COUNTERS", counters}});
      EXPECT_EQ(run.ending(), "exit 0") << run.out << run.err;
      for (const auto& [pid, number] : numbers_by_process(run, "backward"))
        EXPECT_EQ(number, 0) << counters << threads;
      // Each goroutine but the first begins with what another one has left.
      for (const auto& [pid, number] : numbers_by_process(run, "handoffs"))
        EXPECT_GE(number, 3) << counters << threads;
      EXPECT_EQ(calls_by(report_of(run), "main.handOver.func1"), 800'000) << counters << threads;
    }
  }
}

TEST_P(AloneInGo, WhatGoroutinesAreToldIsWithinTheTolerance) {
  for (const char* counters : {"auto", "disagree"}) {
    const HostRun run =
        run_alone(GetParam(), {"compare", "50000"}, {{"CLOCKSHIM_COUNTERS", counters}});
    EXPECT_EQ(run.ending(), "exit 0") << run.out << run.err;
    EXPECT_EQ(numbers_by_process(run, "outside").size(), 1U);
    for (const auto& [pid, number] : numbers_by_process(run, "outside"))
      EXPECT_EQ(number, 0) << counters;
    EXPECT_GE(served(report_of(run)), 190'000);
  }
}

// Descriptors, environment, signals, timers, limits; and what calls come to. The last line is of
// the test's own.
TEST_P(AloneInGo, ItFindsEverythingAndEachCallEndsAsItWouldWithoutUs) {
  for (const char* const what : {"state", "contract"}) {
    const HostRun bare =
        run_host(GetParam(), {.arguments = {what, "20000"}, .shim = false, .report = true});
    const HostRun run = run_alone(GetParam(), {what, "20000"});
    EXPECT_EQ(run.ending(), "exit 0") << run.out << run.err;
    EXPECT_GT(calls_in_all(report_of(run)), 10'000);
    const auto expected = lines_of(bare.out);
    const auto found = lines_of(run.out);
    ASSERT_GT(expected.size(), 4U) << bare.out << bare.err;
    ASSERT_EQ(found.size(), expected.size()) << what;
    for (std::size_t i = 0; i + 1 < expected.size(); ++i) EXPECT_EQ(found[i], expected[i]) << what;
  }
  const HostRun bare = run_host(GetParam(), {.arguments = {"fault", "0"}, .shim = false});
  const HostRun run = run_host(GetParam(), {.arguments = {"fault", "0"}});
  EXPECT_EQ(run.ending(), bare.ending());
  EXPECT_NE(run.ending(), "exit 0");
}

// syscall.Gettimeofday() calls the vDSO on the goroutine's own stack, on which some 700 bytes are
// left; the vDSO's function takes 100 of them.
TEST_P(AloneInGo, OnAGoroutinesStackACallTakesLittle) {
  constexpr long kMoreThanBare = 350;
  const std::map<std::string, std::string> calm{{"GODEBUG", "asyncpreemptoff=1"}};
  const auto depth_in = [](const HostRun& run) {
    const auto said = numbers_by_process(run, "depth");
    EXPECT_EQ(said.size(), 1U) << run.out << run.err;
    return said.empty() ? 0 : said.begin()->second;
  };
  const long bare = depth_in(
      run_host(GetParam(), {.arguments = {"depth", "2000"}, .environment = calm, .shim = false}));
  for (const char* counters : {"auto", "disagree"}) {
    auto environment = calm;
    environment["CLOCKSHIM_COUNTERS"] = counters;
    const HostRun run = run_alone(GetParam(), {"depth", "2000"}, environment);
    EXPECT_LE(depth_in(run), bare + kMoreThanBare) << counters;
    EXPECT_GE(served(report_of(run)), 1'900) << counters;
    RecordProperty(counters, std::to_string(depth_in(run) - bare));
  }
}

TEST_P(AloneInGo, ManyYoungGoroutinesAskOnTheirOwnStacks) {
  const HostRun run = run_alone(GetParam(), {"small_stacks", "20000"});
  EXPECT_EQ(run.ending(), "exit 0") << run.out << run.err;
  EXPECT_EQ(numbers_by_process(run, "wrong").begin()->second, 0);
  EXPECT_EQ(report_of(run).at("dropped"), 0);
  EXPECT_EQ(calls_by(report_of(run), "main.asksOnItsStack"), 400'000);
}

TEST_P(AloneInGo, BadSettingsAreSaidOnceAndItRunsOn) {
  const std::vector<std::array<const char*, 3>> settings{
      {"CLOCKSHIM_TOLERANCE", "banana", "passthrough"},
      {"CLOCKSHIM_TOLERANCE", "0", "passthrough"},
      {"CLOCKSHIM_COUNTERS", "synced", "passthrough"},
      {"CLOCKSHIM_CLOCKS", "sundial", "passthrough"},
      {"CLOCKSHIM_PROFILE", "everything", ""},
      {"CLOCKSHIM_DIR", "relative", ""}};
  for (const auto& [name, value, mode] : settings) {
    const HostRun run =
        run_host(GetParam(),
                 {.arguments = {"calls", "4000"}, .environment = {{name, value}}, .report = true});
    EXPECT_EQ(run.ending(), "exit 0") << name << run.err;
    EXPECT_EQ(numbers_by_process(run, "backward").begin()->second, 0) << name;
    const bool is_bad = std::string(value) != "0";
    EXPECT_EQ(lines_of(run.err).size(), is_bad ? 1U : 0U) << name << run.err;
    EXPECT_EQ(run.err.find(name) != std::string::npos, is_bad) << run.err;
    ASSERT_EQ(run.reports.size(), 1U) << name << run.err;
    EXPECT_EQ(report_of(run).at("mode") == "passthrough", std::string(mode) == "passthrough")
        << name;
    EXPECT_EQ(calls_by(report_of(run), "main.asksNow"), 16'000) << name;
  }
}

// It sets the clock, so nothing else may run beside it (meson.build).
TEST_P(AloneInGo, StepsOfTheClockAreFollowed) {
  for (const char* counters : {"auto", "disagree"}) {
    const HostRun run = run_alone(GetParam(), {"follow", "20"}, {{"CLOCKSHIM_COUNTERS", counters}});
    EXPECT_EQ(run.ending(), "exit 0") << run.out << run.err;
    if (!numbers_by_process(run, "forbidden").empty())
      GTEST_SKIP() << "only root may set the clock";
    EXPECT_EQ(numbers_by_process(run, "late").begin()->second, 0) << counters << run.out;
    // Of 40, and there and back may be one where the machine is busy.
    EXPECT_GE(report_of(run).at("disturbances"), 20) << counters << run.out;
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, AloneInGo,
                         testing::Values("asks_go", "asks_go_stripped", "asks_go_race"),
                         [](const auto& kind) { return std::string(kind.param); });

// It is dynamic, and its C library asks the vDSO, too.
TEST(AloneWithC, BothAreCountedOnce) {
  if (!is_there("asks_go_and_c")) GTEST_SKIP() << "no Go compiler was found";
  const Json report = report_of(run_alone("asks_go_and_c", {}));
  EXPECT_EQ(calls_by(report, "main.asksNow"), 80'000);
  EXPECT_EQ(calls_by(report, "asks_in_c"), 20'000) << report.dump(1);
  // GCC writes which addresses its objects have, and Go does not.
  for (const Json& site : report.at("sites")) {
    for (const Json& frame : site.at("frames")) {
      if (frame.at("symbol") != "main.asksNow") continue;
      const std::string file = frame.at("file");
      EXPECT_TRUE(file.ends_with("/asks_both.go")) << file;
    }
  }
}

TEST(AloneWithC, GoThatIsLinkedIntoAProgramInCHasCallersToo) {
  if (!is_there("asks_by_archive")) GTEST_SKIP() << "no Go compiler was found";
  const Json report = report_of(run_alone("asks_by_archive", {}));
  EXPECT_EQ(calls_by(report, "main.asksNow"), 80'000) << report.dump(1);
}

// What has little stack where it calls must be known. A packed program has no sections; strip
// leaves nothing to find Go's functions by in a program in C.
TEST(AloneUnclear, ItRunsWithoutAndSaysSo) {
  const TempDir folder;
  const std::string program = folder.path() / "program";
  const auto run_says = [&program](std::vector<std::string> arguments, const char* words) {
    const HostRun run = run_host(program, {.arguments = std::move(arguments), .report = true});
    EXPECT_NE(run.err.find(words), std::string::npos) << run.err;
    EXPECT_TRUE(run.reports.empty());
    return run.ending();
  };
  std::filesystem::copy_file(host_path("asks_static"), program);
  {
    std::fstream file(program, std::ios::in | std::ios::out | std::ios::binary);
    Elf64_Ehdr header;
    file.read(reinterpret_cast<char*>(&header), sizeof header);
    header.e_shoff = 0;
    header.e_shnum = header.e_shstrndx = 0;
    file.seekp(0);
    file.write(reinterpret_cast<const char*>(&header), sizeof header);
  }
  EXPECT_EQ(run_says({"calls", "4000"}, "it packed?"), "exit 7");
  if (!is_there("asks_by_archive")) return;
  const std::string strip = "strip -o " + program + " " + host_path("asks_by_archive");
  std::filesystem::remove(program);
  ASSERT_EQ(std::system(strip.c_str()), 0);
  EXPECT_EQ(run_says({}, "is it stripped?"), "exit 0");
}

// A process has one tracer: a debugger that follows the command's children is there first.
TEST(AloneTraced, RunsWithoutAndSaysSo) {
  const HostRun run = run_host(
      slowclock_path(), {.arguments = {"--cost", "2us", "--", std::getenv("CLOCKSHIM_TEST_COMMAND"),
                                       "run", host_path("asks_static"), "calls", "4000"},
                         .shim = false});
  EXPECT_EQ(run.ending(), "exit 7") << run.out << run.err;
  EXPECT_NE(run.err.find("it can't be traced"), std::string::npos) << run.err;
}

}  // namespace
}  // namespace clockshim::test
