// What people read: the table and the tree, and the text that both are made of.
#include <gtest/gtest.h>

#include <sstream>

#include "report/formats.h"
#include "reports.h"

namespace clockshim {
namespace {

using test::frame;
using test::hostile_report;
using test::site;
using test::small_report;

void expect_contains(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
}

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

std::size_t widest(const std::string& text) {
  std::size_t most = 0;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::size_t width = 0;
    for_each_character(line, [&](std::string_view) { ++width; });
    most = std::max(most, width);
  }
  return most;
}

TEST(Text, Utf8IsWhatRfc3629Says) {
  EXPECT_EQ(one_line("a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x95\x90"), "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x95\x90");
  for (const char* bad :
       {"\x80", "\xC0\xAF", "\xC3", "\xE0\x80\xAF", "\xED\xA0\x80", "\xF0\x80\x80\xAF", "\xF4\x90\x80\x80", "\xF5", "\xFF"}) {
    EXPECT_EQ(one_line(bad).find("\xEF\xBF\xBD"), 0U) << bad;
  }
  EXPECT_EQ(one_line("a\nb\x1b[31m\xC2\x9B"), "a b [31m ");
}

TEST(Text, ShortenedByCharactersInTheMiddle) {
  EXPECT_EQ(shortened("abcdefghij", 10), "abcdefghij");
  EXPECT_EQ(shortened("abcdefghijk", 10), "abcde..ijk");
  EXPECT_EQ(shortened("\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9", 5), "\xC3\xA9\xC3\xA9..\xC3\xA9");
  EXPECT_EQ(shortened("abc", 2), "..");
}

TEST(Text, GroupedByThousands) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1000), "1,000");
  EXPECT_EQ(grouped(UINT64_MAX), "18,446,744,073,709,551,615");
}

TEST(Table, SaysWhatIsNewInAReport) {
  Report r = small_report();
  r.state = "lost";
  r.forked_from = 41;
  r.sites[0].sampled = true;
  r.sites[0].frames[1].file = "/src/work.cpp";
  r.sites[0].frames[1].line = 12;
  r.sites[1].frames[0].inlined = true;
  r.advice = {{"pairs", "ask once"}};
  const std::string text = render_text(r);
  expect_contains(text, "daemon[42], 2.0 s, lost, forked from 41\n");
  expect_contains(text, "       ~1,000 ");
  expect_contains(text, "at work.cpp:12\n");
  expect_contains(text, "log (inlined)");
  expect_contains(text, "\n\nadvice: ask once\n");
}

TEST(Table, OfSeveralProcesses) {
  Report r = small_report();
  r.pids = {1, 2};
  expect_contains(render_text(r), "clockshim 1: daemon (2 processes), 2.0 s\n");
}

TEST(Table, PythonFunctionsAreToldWithTheirPlace) {
  const std::string text = render_text(test::python_report());
  expect_contains(text, " python\n");
  expect_contains(text, "= Handler.get.<locals>.<lambda> (app.py:12)\n");
  expect_contains(text, "  setup (web/__init__.py:3) ");
  expect_contains(text, "via time_time+0x0\n");
  EXPECT_EQ(text.find("at app.py"), std::string::npos) << "twice";
}

TEST(Formats, PythonFunctionsAreToldInAllOfThem) {
  for (const Format& format : formats()) {
    if (format.binary) continue;
    const std::string text = format.render({test::python_report()}, {});
    const bool escaped = format.name == std::string("html") || format.name == std::string("flamegraph");
    const std::string name = escaped                              ? "Handler.get.&lt;locals&gt;.&lt;lambda&gt;"
                             : format.name == std::string("json") ? "Handler.get.\\u003clocals>.\\u003clambda>"
                                                                  : "Handler.get.<locals>.<lambda>";
    expect_contains(text, format.name == std::string("json") ? "\"" + name + "\"" : name + " (app.py:12)");
  }
  const std::string json = render_json(test::python_report());
  expect_contains(json, R"("module": null, "offset": 0, "file": "/srv/app.py", "line": 12)");
  expect_contains(render_speedscope({test::python_report()}, {}), R"("file":"/srv/app.py","line":12)");
}

TEST(Table, NamesCannotReachTheTerminal) {
  for (const Format& format : formats()) {
    if (format.binary) continue;
    const std::string text = format.render({hostile_report(false)}, {});
    EXPECT_EQ(text.find('\x1b'), std::string::npos) << format.name;
    EXPECT_EQ(text.find('\x07'), std::string::npos) << format.name;
  }
}

TEST(Tree, FromTheQuestionOutward) {
  const std::string text = render_tree({small_report()}, {});
  expect_contains(text, "          1,130  100.0%  daemon[42]\n");
  expect_contains(text, "          1,100   97.3%  ├─ clock_gettime(realtime)\n");
  expect_contains(text, "          1,000   88.5%  │  ├─ now()  (libstdc++.so.6)\n");
  expect_contains(text, "          1,000   88.5%  │  │  └─ work  (daemon)\n");
  expect_contains(text, "                         │  │     first seen from main\n");
  expect_contains(text, "             30    2.7%     └─ work  (daemon)\n");
  EXPECT_EQ(render_tree({small_report()}, {true}).find("main"), std::string::npos) << "--exact";
}

TEST(Tree, SampledStacksAreMarkedAndHaveCountsAllTheWay) {
  Report r = small_report();
  r.stacks = r.sites;
  for (ReportSite& stack : r.stacks) {
    stack.sampled = true;
    stack.exact_frames = 0;
  }
  const std::string text = render_tree({r}, {});
  expect_contains(text, "         ~1,000   88.5%  │  │     └─ main  (daemon)\n");
  EXPECT_EQ(text.find("first seen"), std::string::npos);
  EXPECT_EQ(render_tree({r}, {true}).find('~'), std::string::npos) << "--exact";
}

TEST(Tree, ManyCallersAreSummedAndLinesStayWithinTheirWidth) {
  Report r = small_report();
  r.sites.clear();
  for (std::uint64_t i = 0; i < 30; ++i) {
    std::vector<ReportFrame> frames{frame("caller" + std::to_string(i), "/bin/daemon", i)};
    for (std::uint64_t f = 0; f < 7; ++f) frames.push_back(frame(std::string(40, 'o') + std::to_string(f), "/bin/daemon", f));
    r.sites.push_back(site(1000 - i, "realtime", frames));
  }
  const std::string text = render_tree({r}, {});
  expect_contains(text, "└─ 10 more callers\n");
  EXPECT_EQ(text.find("caller20"), std::string::npos);
  EXPECT_LE(widest(text), 120U);
  EXPECT_LE(widest(render_tree({hostile_report(true)}, {})), 120U);
}

TEST(Formats, SeveralReportsInOneText) {
  const Reports two{small_report(1), small_report(2)};
  for (const Format& format : formats()) {
    if (format.merges || format.binary) continue;
    const std::string text = format.render(two, {});
    if (format.name == std::string("json") || format.name == std::string("openmetrics")) {
      expect_contains(text, "1");
    } else {
      expect_contains(text, "daemon[1]");
      expect_contains(text, "daemon[2]");
    }
  }
  const std::string metrics = render_openmetrics(two, {});
  EXPECT_EQ(metrics.find("# EOF"), metrics.size() - 6);
  expect_contains(metrics,
                  "clockshim_dropped_total{program=\"daemon\",pid=\"1\"} 0\nclockshim_dropped_total{program=\"daemon\",pid=\"2\"} 0\n");
}

TEST(OpenMetrics, OfOneProcessTheLatestReportCounts) {
  Report earlier = small_report();
  Report later = small_report();
  later.seconds = 3;
  later.dropped = 7;
  const std::string metrics = render_openmetrics({later, earlier}, {});
  expect_contains(metrics, "clockshim_dropped_total{program=\"daemon\",pid=\"42\"} 7\n");
  EXPECT_EQ(metrics.find("\nclockshim_dropped_total"), metrics.rfind("\nclockshim_dropped_total")) << "once";
}

TEST(OpenMetrics, CallersAreBounded) {
  Report r = small_report();
  r.sites.clear();
  for (std::uint64_t i = 0; i < 5000; ++i)
    r.sites.push_back(site(10'000 - i, "realtime", {frame("f" + std::to_string(i), "/bin/daemon", i)}));
  r.sites.push_back(site(5, "realtime", {frame("f0", "/bin/daemon", 77)}));
  const std::string metrics = render_openmetrics({r}, {});
  expect_contains(metrics, "caller=\"f0\",module=\"daemon\",sampled=\"false\"} 10005\n");
  EXPECT_EQ(metrics.find("caller=\"f100\""), std::string::npos);
  expect_contains(metrics, "caller=\"other\"");
}

TEST(Formats, FoldedHasASemicolonBetweenFramesOnly) {
  Report r = small_report();
  r.program = "a;b";
  r.sites = {site(7, "real;time", {frame("f;g", "/bin/daemon", 1)})};
  EXPECT_EQ(render_folded({r}, {}), "a:b[42];f:g;clock_gettime(real:time) 7\n");
}

TEST(Formats, RecursionCostsOnceInCallgrind) {
  Report r = small_report();
  const ReportFrame a = frame("a", "/bin/daemon", 1);
  r.sites = {site(7, "realtime", {a, frame("b", "/bin/daemon", 2), a, a}, 4)};
  EXPECT_EQ(count_of(render_callgrind({r}, {}), "calls=7"), 2U) << "a asks, b calls a; a calls b only on the way to a";
}

TEST(Formats, AreFoundByName) {
  EXPECT_EQ(find_format("pprof")->name, std::string("pprof"));
  EXPECT_EQ(find_format("Pprof"), nullptr);
  EXPECT_EQ(find_format(""), nullptr);
}

}  // namespace
}  // namespace clockshim
