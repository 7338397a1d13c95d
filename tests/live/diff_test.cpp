// What changed between two runs, as numbers and as the command tells it.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "analysis/compare.h"
#include "live_host.h"

namespace clockshim::cli {
namespace {

using Json = nlohmann::json;
using test::Ending;
using test::line_with;
using test::run_clockshim;

ReportSite site(const std::string& caller, std::uint64_t calls, const std::string& module,
                std::uint64_t offset) {
  ReportFrame frame;
  frame.symbol = caller;
  frame.module = module;
  frame.offset = offset;
  ReportSite out;
  out.calls = calls;
  out.clock = "monotonic";
  out.function = "clock_gettime";
  out.frames = {frame};
  out.exact_frames = 1;
  return out;
}

Report run(double seconds, std::vector<ReportSite> sites) {
  Report report;
  report.program = "daemon";
  report.seconds = seconds;
  std::uint64_t calls = 0;
  for (const ReportSite& each : sites) calls += each.calls;
  report.clocks = {{"monotonic", calls, calls, 0, 1}};
  report.sites = std::move(sites);
  return report;
}

const Change& of(const Comparison& comparison, const std::string& name) {
  for (const Change& change : comparison.callers) {
    if (change.caller.name == name) return change;
  }
  static const Change none;
  ADD_FAILURE() << "no caller " << name;
  return none;
}

TEST(Compare, MatchesCallersWhoseAddressesHaveMoved) {
  const Report before =
      run(10, {site("f", 100, "/old/lib.so", 0x10), site("f", 20, "/old/lib.so", 0x20),
               site("g", 7, "/old/lib.so", 0x99), site("same", 5, "/p", 1)});
  const Report after =
      run(10.2, {site("f", 60, "/new/place/lib.so", 0x5550),
                 site("h", 9, "/new/place/lib.so", 0x6660), site("same", 5, "/p", 2)});
  const Comparison c = compare(before, after, Amounts::by_length);
  EXPECT_FALSE(c.per_second);
  ASSERT_EQ(c.callers.size(), 4U);
  EXPECT_EQ(c.callers[0].caller.name, "f") << "the largest difference first";
  EXPECT_EQ(c.callers[0].calls_before, 120U);
  EXPECT_EQ(c.callers[0].difference(), -60);
  EXPECT_EQ(c.callers[0].ratio(), 0.5);
  EXPECT_EQ(of(c, "g").kind, Change::Kind::gone);
  EXPECT_EQ(of(c, "h").kind, Change::Kind::appeared);
  EXPECT_EQ(of(c, "same").difference(), 0);
  EXPECT_EQ(c.all.calls_before, 132U);
  EXPECT_EQ(c.all.calls_after, 74U);
}

TEST(Compare, TellsTheSameNameInAnotherModuleOrForAnotherClockApart) {
  Report after = run(1, {site("f", 1, "/b.so", 1), site("f", 1, "/a.so", 1)});
  after.sites[1].clock = "realtime";
  EXPECT_EQ(compare(run(1, {site("f", 1, "/a.so", 1)}), after, Amounts::by_length).callers.size(),
            3U);
}

TEST(Compare, MatchesPythonFunctionsByNameAndFile) {
  const auto python = [](const std::string& file, std::uint32_t line) {
    ReportSite out = site("handler", 10, "", 0);
    out.frames[0].file = file;
    out.frames[0].line = line;
    return out;
  };
  EXPECT_EQ(of(compare(run(1, {python("/srv/app.py", 12)}), run(1, {python("/opt/app.py", 99)}),
                       Amounts::by_length),
               "handler (app.py)")
                .kind,
            Change::Kind::both);
  EXPECT_EQ(compare(run(1, {python("/srv/app.py", 12)}), run(1, {python("/srv/other.py", 12)}),
                    Amounts::by_length)
                .callers.size(),
            2U);
}

TEST(Compare, TakesRatesWhereTheLengthsDiffer) {
  const Report before = run(10, {site("f", 100, "/p", 1)});
  const Report after = run(20, {site("f", 400, "/p", 1)});
  const Comparison c = compare(before, after, Amounts::by_length);
  EXPECT_TRUE(c.per_second);
  EXPECT_EQ(of(c, "f").before, 10);
  EXPECT_EQ(of(c, "f").after, 20);
  EXPECT_EQ(of(c, "f").ratio(), 2);
  const std::string text = render_diff_text(before, after, Amounts::by_length, 0);
  EXPECT_NE(text.find("the runs' lengths differ"), std::string::npos);
  EXPECT_NE(line_with(text, " f ").find("       10        20         +10  x2.00  monotonic  f"),
            std::string::npos)
      << text;
  EXPECT_FALSE(compare(run(0, {}), after, Amounts::by_length).per_second) << "no length is known";
}

// The same work, done in half the time: what has changed is the one caller, not the other.
TEST(Compare, TakesCallsWhereTheyAreAskedFor) {
  const Report before = run(10, {site("work", 400, "/p", 1), site("log", 400, "/p", 2)});
  const Report after = run(5, {site("work", 400, "/p", 1), site("log", 40, "/p", 2)});
  const Comparison c = compare(before, after, Amounts::calls);
  EXPECT_EQ(of(c, "work").difference(), 0);
  EXPECT_EQ(of(c, "log").ratio(), 0.1);
  const std::string text = render_diff_text(before, after, Amounts::calls, 0);
  EXPECT_NE(text.find("\n1 caller as before\n"), std::string::npos) << text;
  EXPECT_EQ(text.find("lengths differ"), std::string::npos) << text;
  const test::TempDir dir;
  const std::string one = dir.file("one.json", render_json(before), test::kPlain);
  const std::string other = dir.file("other.json", render_json(after), test::kPlain);
  const auto compared = [&](const std::vector<std::string>& words) {
    return Json::parse(run_clockshim(words).out)["compared"];
  };
  EXPECT_EQ(compared({"diff", "--json", one, other}), "calls_per_s");
  EXPECT_EQ(compared({"diff", "--json", "--calls", one, other}), "calls");
}

TEST(Compare, TellsWhatIsNewGoneAndAsBefore) {
  const std::string text = render_diff_text(
      run(1, {site("g", 7, "/p", 1), site("same", 5, "/p", 2)}),
      run(1, {site("h", 9000, "/p", 3), site("same", 5, "/p", 4)}), Amounts::by_length, 0);
  EXPECT_NE(line_with(text, " g ").find("-7    gone"), std::string::npos) << text;
  EXPECT_NE(line_with(text, " h ").find("+9,000     new"), std::string::npos) << text;
  EXPECT_EQ(line_with(text, "same"), "") << text;
  EXPECT_NE(text.find("1 caller as before"), std::string::npos) << text;
}

// A long C++ name, which is cut where it must be, and then stands below as a whole.
TEST(Compare, FitsIntoTheWidthAndLosesNoName) {
  const std::string name = "storage::" + std::string(70, 'n') + "::tick(int)";
  const Report before = run(1, {site(name, 1'234'567'890, "/usr/lib/libstorage.so", 1)});
  const Report after = run(1, {site(name, 2'234'567'890, "/usr/lib/libstorage.so", 1)});
  for (const std::size_t width : {60, 72, 80, 100, 132, 150, 200}) {
    const std::string text = render_diff_text(before, after, Amounts::by_length, width);
    EXPECT_LE(test::widest_line(text), width) << text;
    std::string letters = text;
    std::erase_if(letters, [](char c) { return c != 'n'; });
    EXPECT_GE(letters.size(), 70U) << text;
    EXPECT_EQ(text.find(" " + name + "  libstorage.so\n") != std::string::npos, width == 200)
        << text;
    EXPECT_NE(text.find("libstorage.so"), std::string::npos) << text;
    EXPECT_NE(text.find("monotonic"), std::string::npos) << text;
    EXPECT_NE(line_with(text, "1,000,000,000").find("x1.81"), std::string::npos) << text;
  }
  EXPECT_LE(test::widest_line(render_diff_text(before, after, Amounts::by_length, 0)), 100U)
      << "in files";
}

TEST(Diff, IsAsWideAsTheTerminal) {
  const test::TempDir dir;
  const std::string name(120, 'n');
  const std::string json =
      dir.file("r.json", render_json(run(1, {site(name, 5, "/p", 1)})), test::kPlain);
  for (const std::size_t columns : {60, 200}) {
    const Ending ending = test::run_on_terminal(columns, {"diff", test::dead_file(dir), json});
    ASSERT_EQ(ending.exit_code, 0) << ending.out;
    EXPECT_LE(test::widest_line(ending.out), columns) << ending.out;
    EXPECT_EQ(ending.out.find(name) != std::string::npos, columns == 200) << ending.out;
  }
}

TEST(Diff, ReadsLiveFilesAndJsonReports) {
  const test::TempDir dir;
  const std::string live = test::dead_file(dir);
  const std::string json =
      dir.file("r.json", render_json(run(1, {site("f", 5, "/p", 1)})), test::kPlain);
  const Ending ending = run_clockshim({"diff", "--json", live, json});
  ASSERT_EQ(ending.exit_code, 0) << ending.err;
  const Json diff = Json::parse(ending.out);
  EXPECT_EQ(diff["before"]["calls"], 77);
  EXPECT_EQ(diff["after"]["calls"], 5);
  EXPECT_EQ(diff["compared"], "calls");
  ASSERT_EQ(diff["callers"].size(), 2U);
  EXPECT_EQ(diff["callers"][0]["in"], "gone");
  EXPECT_EQ(diff["callers"][0]["difference"], -77);
  EXPECT_EQ(diff["callers"][1]["caller"], "f");
  EXPECT_EQ(diff["callers"][1]["in"], "new");
  EXPECT_TRUE(diff["callers"][1]["ratio"].is_null());
  const Ending text = run_clockshim({"diff", live, json});
  EXPECT_EQ(text.exit_code, 0);
  EXPECT_NE(text.out.find("before: daemon["), std::string::npos);
}

TEST(Diff, RefusesWhatItCantRead) {
  const test::TempDir dir;
  const std::string live = test::dead_file(dir);
  for (const std::string& other :
       {dir.path("missing"), dir.file("x.json", "{", test::kPlain), dir.path().string()}) {
    const Ending ending = run_clockshim({"diff", live, other});
    EXPECT_EQ(ending.exit_code, 2);
    EXPECT_EQ(test::count_of(ending.err, "\n"), 1U) << ending.err;
    EXPECT_NE(ending.err.find(other), std::string::npos) << ending.err;
  }
  EXPECT_EQ(run_clockshim({"diff", live}).exit_code, 2);
}

}  // namespace
}  // namespace clockshim::cli
