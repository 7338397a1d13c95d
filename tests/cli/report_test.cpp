// `clockshim report` as its users call it: on files, on what is none, on processes; where it
// writes, and what it refuses.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>

#include "run_command.h"

namespace clockshim {
namespace {

using test::content_of;
using test::Ending;
using test::kPlain;
using test::run_clockshim;
using test::TempDir;
using Json = nlohmann::json;

// As the library writes it at exit.
constexpr const char* kReport = R"({
  "schema_version": 1, "clockshim_version": "0.1.0", "program": "daemon", "pid": 42, "seconds": 2.0, "clocksource": "tsc",
  "mode": "coherent", "mode_reason": "clocksource tsc", "order": "strict", "profile": "sites", "tolerance_ns": 10000,
  "clocks": {"realtime": {"calls": 1000, "served": 990, "real": 10, "resyncs": 7}},
  "accuracy": {"samples": 7, "p50_ns": 40, "p99_ns": 60, "max_ns": 61, "over_tolerance": 0},
  "disturbances": 0, "dropped": 0, "notes": [],
  "sites": [{"calls": 1000, "clock": "realtime", "function": "gettimeofday", "sampled": false, "exact_frames": 1, "frames": [
    {"symbol": "tick", "symbol_offset": 8, "module": "/nonexistent/daemon", "offset": 4096, "file": null, "line": null}]}]
})";

void expect_refused(const Ending& ending, const std::string& line) {
  EXPECT_EQ(ending.exit_code, 2);
  EXPECT_EQ(ending.out, "");
  EXPECT_EQ(ending.err, "clockshim: " + line + "\n");
}

class ReportCommand : public testing::Test {
 protected:
  TempDir folder_;
  std::string report_ = folder_.file("a.json", kReport, kPlain);
};

TEST_F(ReportCommand, ATableByDefault) {
  const Ending ending = run_clockshim({"report", report_});
  EXPECT_EQ(ending.exit_code, 0) << ending.err;
  EXPECT_NE(ending.out.find("daemon[42], 2.0 s\n"), std::string::npos) << ending.out;
  EXPECT_NE(ending.out.find("tick+0x8"), std::string::npos) << ending.out;
}

TEST_F(ReportCommand, EachFormatThatHelpNames) {
  const std::string help = run_clockshim({"report", "--help"}).out;
  for (const char* format : {"table", "tree", "json", "folded", "speedscope", "pprof", "callgrind",
                             "flamegraph", "html", "prometheus", "openmetrics"}) {
    EXPECT_NE(help.find("  " + std::string(format) + " "), std::string::npos) << format;
    const Ending ending = run_clockshim({"report", "--format", format, report_});
    EXPECT_EQ(ending.exit_code, 0) << format << ending.err;
    EXPECT_EQ(ending.err, "") << format;
    EXPECT_NE(ending.out, "") << format;
  }
}

TEST_F(ReportCommand, JsonOfJsonIsTheSame) {
  const Json once = Json::parse(run_clockshim({"report", "--format", "json", report_}).out);
  const Json wrote = Json::parse(kReport)["clocks"]["realtime"];
  for (const auto& [key, value] : wrote.items()) EXPECT_EQ(once["clocks"]["realtime"][key], value);
  EXPECT_EQ(once["sites"][0]["frames"][0]["symbol"], "tick");
  const std::string again = folder_.file("b.json", once.dump(), kPlain);
  EXPECT_EQ(Json::parse(run_clockshim({"report", "--format", "json", again}).out), once);
}

TEST_F(ReportCommand, SeveralMergedOrApart) {
  const std::string other = folder_.file("b.json", kReport, kPlain);
  const Ending apart = run_clockshim({"report", report_, other});
  EXPECT_EQ(test::count_of(apart.out, "daemon[42]"), 2U);
  EXPECT_EQ(run_clockshim({"report", "--apart", report_, other}).out, apart.out);
  const Ending merged = run_clockshim({"report", "--merge", report_, other});
  EXPECT_NE(merged.out.find("daemon (2 processes)"), std::string::npos) << merged.out;
  EXPECT_NE(merged.out.find("calls 2,000 "), std::string::npos) << merged.out;
  EXPECT_NE(run_clockshim({"report", "--format", "html", report_, other})
                .out.find("daemon (2 processes)"),
            std::string::npos);
  expect_refused(
      run_clockshim({"report", "--format", "html", "--apart", report_, other}),
      "--apart: html has room for one report, and there are 2: leave it out, or name one");
  EXPECT_EQ(run_clockshim({"report", "--merge", "--apart", report_}).exit_code, 2);
}

TEST_F(ReportCommand, OutputIsAWholeFileOrNone) {
  const std::string out = folder_.path("metrics.prom");
  EXPECT_EQ(
      run_clockshim({"report", "--format", "openmetrics", "--output", out, report_}).exit_code, 0);
  EXPECT_NE(content_of(out).find("# EOF\n"), std::string::npos);
  ASSERT_EQ(chmod(out.c_str(), 0640), 0);
  EXPECT_EQ(run_clockshim({"report", "--format", "json", "--output", out, report_}).out, "");
  EXPECT_EQ(Json::parse(content_of(out))["pid"], 42);
  struct stat info {};
  ASSERT_EQ(stat(out.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0640U) << "as it was";
  EXPECT_EQ(folder_.files(), 2U) << "nothing is left beside it";
  EXPECT_NE(run_clockshim({"report", "--output", "/dev/stdout", report_}).out.find("daemon[42]"),
            std::string::npos);
  expect_refused(run_clockshim({"report", "--output", folder_.path("no/file"), report_}),
                 "--output \"" + folder_.path("no/file") +
                     "\": must be a file that can be written: No such file or directory");
  expect_refused(run_clockshim({"report", "--output", "", report_}),
                 "--output \"\": must be a file that can be written");
}

TEST_F(ReportCommand, WhatIsNoReportIsRefusedInOneLine) {
  expect_refused(run_clockshim({"report", folder_.path("none")}),
                 "report \"" + folder_.path("none") + "\": No such file or directory");
  expect_refused(run_clockshim({"report", folder_.path().string()}),
                 "report \"" + folder_.path().string() + "\": Is a directory");
  const std::string text = folder_.file("text", "hello\n", kPlain);
  expect_refused(
      run_clockshim({"report", report_, text}),
      "report \"" + text + "\": is neither a live file nor a report: not JSON, or cut short");
  const std::string cut = folder_.file("cut.live", "clockshm", kPlain);
  EXPECT_EQ(run_clockshim({"report", cut}).exit_code, 2);
  const std::string newer = folder_.file("newer", "{\"schema_version\": 2}", kPlain);
  expect_refused(run_clockshim({"report", newer}),
                 "report \"" + newer + "\": is of schema version 2; this command reads 1");
}

TEST_F(ReportCommand, MistakesInTheCommandLine) {
  expect_refused(run_clockshim({"report", "--format", "xml", report_}),
                 "--format \"xml\": must be one of table, tree, json, folded, speedscope, pprof, "
                 "callgrind, flamegraph, html, prometheus, openmetrics");
  expect_refused(run_clockshim({"report", ""}),
                 "report \"\": must be a process id, the name of a program, or a file");
}

TEST_F(ReportCommand, OfAProcessThatIsNotServed) {
  const std::string number = std::to_string(getpid());
  expect_refused(run_clockshim({"report", number}, {"CLOCKSHIM_DIR=" + folder_.path().string()}),
                 "report " + number +
                     ": cli_tests runs without clockshim: start it with `clockshim run cli_tests "
                     "...`, serve it from now on by `clockshim attach " +
                     number + "`, or see `clockshim doctor " + number + "`");
}

TEST_F(ReportCommand, ATerminalGetsNoBinary) {
  test::Running command({test::command_path(), "report", "--format", "pprof", report_}, {},
                        test::On::terminal);
  const Ending ending = command.finish();
  EXPECT_EQ(ending.exit_code, 2);
  EXPECT_NE(
      (ending.out + ending.err).find("--format pprof: is not for a terminal: use --output FILE"),
      std::string::npos);
}

TEST_F(ReportCommand, ATerminalGetsLinesOfItsWidth) {
  const std::string name = "tick<" + std::string(90, 'n') + ">()";
  std::string text = kReport;
  text.replace(text.find("\"tick\""), 6, "\"" + name + "\"");
  const std::string report = folder_.file("long.json", text, kPlain);
  for (const std::size_t columns : {30, 60, 72, 150, 400}) {
    const Ending ending = test::run_on_terminal(columns, {"report", report});
    ASSERT_EQ(ending.exit_code, 0) << ending.out;
    const std::size_t width = std::clamp<std::size_t>(columns, 60, 200);
    EXPECT_LE(test::widest_line(ending.out), width) << ending.out;
    EXPECT_EQ(ending.out.find(name) != std::string::npos, columns == 400) << ending.out;
    std::string letters = ending.out;
    std::erase_if(letters, [](char c) { return c != 'n'; });
    EXPECT_GE(letters.size(), 90U) << "the name is whole: " << ending.out;
  }
  EXPECT_LE(test::widest_line(run_clockshim({"report", report}).out), 100U);
}

}  // namespace
}  // namespace clockshim
