// Programs that take no preload: static ones, and musl's. The command puts the image into them,
// and then they are served and counted as others are.
#include <elf.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "alone.h"

namespace clockshim::test {
namespace {

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
