// The summary that `clockshim run` makes of a tree of processes: one for all, and every count in it
// is exact, however the processes ended.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/run/run_summary.h"
#include "run_command.h"

namespace clockshim::test {
namespace {

constexpr const char* kTree = "160";  // and 32 grandchildren: all in all 193 processes

struct Sum {
  unsigned long calls = 0;
  unsigned long processes = 0;
  bool operator==(const Sum&) const = default;
};
using Sums = std::map<std::string, Sum>;

void PrintTo(const Sum& sum, std::ostream* out) {
  *out << sum.calls << " calls of " << sum.processes << " processes";
}

// A number as reports write it: 1,234.
unsigned long number(std::string text) {
  std::erase(text, ',');
  return std::stoul(text);
}

// What the tree says of itself.
Sums independent(const std::string& out) {
  Sums sums;
  std::istringstream lines(out);
  std::string name;
  for (Sum sum; lines >> name >> sum.calls >> sum.processes;) sums[name] = sum;
  return sums;
}

// The lines for each program, up to the blank line below them.
Sums by_program(const std::string& report) {
  Sums sums;
  std::istringstream lines(
      report.substr(std::min(report.size(), report.find("processes  program"))));
  std::string line;
  for (std::getline(lines, line); std::getline(lines, line) && !line.empty();) {
    std::istringstream words(line);
    std::string calls;
    std::string share;
    std::string served;
    std::string processes;
    std::string name;
    words >> calls >> share >> served >> processes >> name;
    sums[name] = {number(calls), number(processes)};
  }
  return sums;
}

// Runs the tree with its live files in a folder of its own, so that other tests leave it alone.
Ending run_tree(const TempDir& folder, const std::vector<std::string>& options = {}) {
  std::filesystem::create_symlink(program_path("tree_program"), folder.path("tree_leaf"));
  std::vector<std::string> arguments = {"run", "--dir", folder.path("live")};
  arguments.insert(arguments.end(), options.begin(), options.end());
  arguments.insert(arguments.end(), {program_path("tree_program"), folder.path().string(), kTree});
  return run_clockshim(arguments);
}

TEST(Summary, IsTheSumOfWhatEachProcessCounted) {
  const TempDir folder;
  const Ending ending = run_tree(folder);
  const Sums sums = independent(ending.out);
  ASSERT_EQ(sums.size(), 2U) << ending.out;
  EXPECT_EQ(sums.at("tree_program").processes, 193U);
  EXPECT_EQ(sums.at("tree_leaf").processes, 32U);
  EXPECT_EQ(by_program(ending.err), sums) << ending.err;
  EXPECT_EQ(count_of(ending.err, "clockshim "), 1U) << "one report: " << ending.err;
  EXPECT_EQ(count_of(ending.err, "note: "), 1U) << "of what live files had: " << ending.err;
  EXPECT_NE(ending.err.find("(193 processes)"), std::string::npos) << ending.err;
  EXPECT_TRUE(std::filesystem::is_empty(folder.path("live")));
}

TEST(Summary, IsInOneFile) {
  const TempDir folder;
  const std::string json = folder.path("report.json");
  const Ending ending = run_tree(folder, {"--report", json});
  EXPECT_EQ(ending.err, "");
  const Sums sums = independent(ending.out);
  ASSERT_EQ(sums.size(), 2U) << ending.out;
  const unsigned long all = sums.at("tree_program").calls + sums.at("tree_leaf").calls;
  const auto report = nlohmann::json::parse(content_of(json));
  unsigned long by_clock = 0;
  for (const auto& clock : report["clocks"]) by_clock += clock["calls"].get<unsigned long>();
  EXPECT_EQ(by_clock, all);
  EXPECT_EQ(report["pids"].size(), 193U);
  unsigned long by_caller = 0;
  for (const auto& site : report["sites"]) by_caller += site["calls"].get<unsigned long>();
  EXPECT_EQ(by_caller, all);
  const TempDir other;
  const std::string text = other.path("report.txt");
  const Ending told = run_tree(other, {"--report", text});
  EXPECT_EQ(told.err, "");
  EXPECT_EQ(by_program(content_of(text)), independent(told.out)) << content_of(text);
}

TEST(Summary, OfManyShortProgramsIsShort) {
  const Ending ending =
      run_clockshim({"run", "sh", "-c", "for i in $(seq 60); do date >/dev/null; done"});
  EXPECT_EQ(by_program(ending.err)["date"].processes, 60U) << ending.err;
  EXPECT_LT(count_of(ending.err, "\n"), 25U) << ending.err;
}

TEST(Summary, OfOneProcessHasFilesAndLines) {
  const Ending ending = run_clockshim({"run", program_path("clock_program"), "often"});
  EXPECT_NE(ending.err.find("at clock_program.cpp:"), std::string::npos) << ending.err;
}

// --- the parts of it, without processes

Report made_up(const std::string& program, long pid, std::uint64_t calls) {
  Report report;
  report.program = program;
  report.pid = pid;
  report.started_at = 1000.0 + static_cast<double>(pid);
  report.state = "ended";
  report.clocks = {{"monotonic", calls, calls, 0, 1}};
  ReportSite site;
  site.calls = calls;
  site.clock = "monotonic";
  site.function = "clock_gettime";
  report.sites = {site};
  return report;
}

TEST(Summary, SingleReportIsShownAsItIs) {
  cli::RunSummary summary(false);
  EXPECT_TRUE(summary.empty());
  summary.add(made_up("date", 7, 2), cli::RunSummary::From::process);
  EXPECT_EQ(std::move(summary).text(0), render_text(made_up("date", 7, 2)));
}

TEST(Summary, TakesEachReportOnce) {
  cli::RunSummary summary(false);
  for (int i = 0; i < 2; ++i) {
    summary.add(made_up("a", 7, 2), cli::RunSummary::From::process);
    summary.add(made_up("b", 8, 3), cli::RunSummary::From::live_file);
  }
  const std::string text = std::move(summary).text(0);
  EXPECT_EQ(by_program(text), (Sums{{"a", {2, 1}}, {"b", {3, 1}}})) << text;
  EXPECT_NE(text.find("calls 5 "), std::string::npos) << text;
}

TEST(Summary, FurtherProgramsAreOneLine) {
  for (const bool all : {false, true}) {
    cli::RunSummary summary(all);
    std::uint64_t sum = 0;
    for (long pid = 1; pid <= 300; ++pid) {
      const auto calls = static_cast<std::uint64_t>(pid % 30 + 1) * 40;
      summary.add(made_up("program" + std::to_string(pid % 30), pid, calls),
                  cli::RunSummary::From::process);
      sum += calls;
    }
    const std::string text = std::move(summary).text(0);
    unsigned long calls = 0;
    unsigned long processes = 0;
    const Sums sums = by_program(text);
    for (const auto& [name, program] : sums) {
      calls += program.calls;
      processes += program.processes;
    }
    EXPECT_EQ(calls, sum) << text;
    EXPECT_EQ(processes, 300U);
    EXPECT_EQ(sums.size(), all ? 30U : 21U);
    EXPECT_EQ(count_of(text, " 10 more programs\n"), all ? 0U : 1U) << text;
    EXPECT_EQ(count_of(text, ", 10 processes:\n"), all ? 30U : 5U) << text;
  }
}

}  // namespace
}  // namespace clockshim::test
