// What people read: the table and the tree, and the text that both are made of.
#include <gtest/gtest.h>

#include <sstream>

#include "../support/text.h"
#include "analysis/merge.h"
#include "analysis/rates.h"
#include "formats/formats.h"
#include "report/wrap.h"
#include "reports.h"

namespace clockshim {
namespace {

using test::count_of;
using test::expect_contains;
using test::frame;
using test::hostile_report;
using test::site;
using test::small_report;
using test::threaded_report;
using test::watched_report;

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
  EXPECT_EQ(one_line("a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x95\x90"),
            "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x95\x90");
  for (const char* bad : {"\x80", "\xC0\xAF", "\xC3", "\xE0\x80\xAF", "\xED\xA0\x80",
                          "\xF0\x80\x80\xAF", "\xF4\x90\x80\x80", "\xF5", "\xFF"}) {
    EXPECT_EQ(one_line(bad).find("\xEF\xBF\xBD"), 0U) << bad;
  }
  EXPECT_EQ(one_line("a\nb\x1b[31m\xC2\x9B"), "a b [31m ");
}

TEST(Text, ShortenedByCharactersInTheMiddle) {
  EXPECT_EQ(shortened("abcdefghij", 10), "abcdefghij");
  EXPECT_EQ(shortened("abcdefghijk", 10), "abcde..ijk");
  EXPECT_EQ(shortened("\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9", 5),
            "\xC3\xA9\xC3\xA9..\xC3\xA9");
  EXPECT_EQ(shortened("abc", 2), "..");
}

TEST(Text, MarkupKeepsLinesAndNothingElseThatXmlCantWrite) {
  EXPECT_EQ(markup("a\nb\x1b\x07<&>\"'"), "a\nb\xEF\xBF\xBD\xEF\xBF\xBD&lt;&amp;&gt;&quot;&#39;");
  expect_contains(render_flamegraph({small_report()}, {}),
                  "<title>daemon[42]\n1,130 calls, 100.00 %</title>");
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
  const std::string text = find_format("table")->render({r}, {});
  expect_contains(text, "daemon[42], 2.0 s, lost, forked from 41\n");
  expect_contains(text, "       ~1,000 ");
  expect_contains(text, "at work.cpp:12\n");
  expect_contains(text, "log (inlined)");
  expect_contains(text, "\n\nadvice: ask once\n");
}

TEST(Table, HasFiveLinesOfAdviceAtMostAndWrapsThem) {
  Report r = small_report();
  for (int i = 0; i < 7; ++i)
    r.advice.push_back({"pairs", "advice" + std::to_string(i) + " " + std::string(64, 'a') +
                                     " in words, of which there are a few more than fit"});
  for (const char* format : {"table", "tree"}) {
    const std::string text = find_format(format)->render({r}, {.width = 80});
    expect_contains(text, "advice: advice0 aaaa");
    expect_contains(text, "advice: advice4 aaaa");
    EXPECT_EQ(text.find("advice5"), std::string::npos) << format;
    expect_contains(text, "\n        in words, of which there are a few more than fit\n");
    expect_contains(text, "\n2 more in --format html and json\n");
    EXPECT_LE(widest(text), 80U) << format;
  }
  const std::string page = render_html({r}, {});
  expect_contains(page, "advice6");
  EXPECT_GT(page.find("advice0"), page.find("data-n=")) << "below the flame graph";
}

TEST(Table, TakesTheWidthOfTheTerminalAndNamesAreWhole) {
  Report r = small_report();
  const std::string name = "app::Server<std::chrono::steady_clock>::answer(std::string const&, " +
                           std::string(90, 'n') + ")";
  r.sites[1].frames[0].symbol = name;
  r.sites[2].frames[0].file = "/src/work.cpp";
  r.sites[2].frames[0].line = 12;
  r.notes = {"a note that has more words than go into a line of a terminal of sixty columns"};
  for (const std::size_t width : {60, 72, 80, 100, 132, 200}) {
    const std::string text = find_format("table")->render({r}, {.width = width});
    EXPECT_LE(widest(text), width);
    std::string below;  // the name as it stands below, put together again
    std::istringstream lines(text.substr(std::min(text.size(), text.find("= app::"))));
    for (std::string line; std::getline(lines, line) && line.find("1.8%") == std::string::npos &&
                           line.find("2.7%") == std::string::npos;)
      below += line.substr(line.find_first_not_of(' '));
    std::string compact = name;
    std::erase(compact, ' ');
    std::erase(below, ' ');
    if (text.find(name) == std::string::npos) {
      EXPECT_NE(below.find(compact), std::string::npos) << width << "\n" << text;
    }
    EXPECT_NE(text.find("work.cpp:12"), std::string::npos);
  }
  expect_contains(find_format("table")->render({r}, {.width = 60}), "at work.cpp:12, daemon\n");
  expect_contains(find_format("table")->render({r}, {.width = 60}), "in daemon\n");
}

// Of names and modules, neither is cut while the other has room to spare.
TEST(Table, NamesAndModulesShareTheirRoom) {
  Report r = small_report();
  const std::string module = "a-daemon-of-twenty-eight-let";
  for (ReportSite& site : r.sites) site.frames[site.exact_frames - 1].module = "/bin/" + module;
  std::string text = find_format("table")->render({r}, {});
  EXPECT_EQ(text.find(".."), std::string::npos) << text;
  expect_contains(text, " " + module + "\n");
  const std::string name(36, 'n');
  for (ReportSite& site : r.sites) {
    site.frames[site.exact_frames - 1].module = "/bin/d";
    site.frames[site.exact_frames - 1].symbol = name;
  }
  text = find_format("table")->render({r}, {});
  EXPECT_EQ(text.find(".."), std::string::npos) << text;
  expect_contains(text, " " + name);
  EXPECT_LE(widest(text), 100U);
}

TEST(Text, WrappedAtBlanksAndLongWordsWhereTheyAreFull) {
  using Lines = std::vector<std::string>;
  EXPECT_EQ(wrapped("", 10), Lines{""});
  EXPECT_EQ(wrapped("0123456789", 10), Lines{"0123456789"});
  EXPECT_EQ(wrapped("0123456789 b", 10), (Lines{"0123456789", "b"}));
  EXPECT_EQ(wrapped("012345 7890", 10), (Lines{"012345", "7890"}));
  EXPECT_EQ(wrapped("0 234567890", 10), (Lines{"0 23456789", "0"})) << "a short line is a waste";
  EXPECT_EQ(wrapped(std::string(25, 'n'), 10),
            (Lines{std::string(10, 'n'), std::string(10, 'n'), std::string(5, 'n')}));
  EXPECT_EQ(wrapped("\xC3\xA9\xC3\xA9\xC3\xA9", 2), (Lines{"\xC3\xA9\xC3\xA9", "\xC3\xA9"}));
  EXPECT_EQ(wrapped_behind("note: ", "aaaa bbbb cccc dddd eeee", 20),
            "note: aaaa bbbb cccc dddd\n      eeee\n")
      << "20 columns are the least";
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
    const bool escaped =
        format.name == std::string("html") || format.name == std::string("flamegraph");
    const std::string name = escaped ? "Handler.get.&lt;locals&gt;.&lt;lambda&gt;"
                             : format.name == std::string("json")
                                 ? "Handler.get.\\u003clocals>.\\u003clambda>"
                                 : "Handler.get.<locals>.<lambda>";
    expect_contains(
        text, format.name == std::string("json") ? "\"" + name + "\"" : name + " (app.py:12)");
  }
  const std::string json = render_json(test::python_report());
  expect_contains(json, R"("module": null, "offset": 0, "file": "/srv/app.py", "line": 12)");
  expect_contains(render_speedscope({test::python_report()}, {}),
                  R"("file":"/srv/app.py","line":12)");
}

TEST(Table, NamesCannotReachTheTerminal) {
  for (const Format& format : formats()) {
    if (format.binary) continue;
    for (const bool threads : {false, true}) {
      const std::string text = format.render({hostile_report(false)}, {.threads = threads});
      EXPECT_EQ(text.find('\x1b'), std::string::npos) << format.name;
      EXPECT_EQ(text.find('\x07'), std::string::npos) << format.name;
    }
  }
}

std::string threads_table(const Report& r) {
  return find_format("table")->render({r}, {.threads = true});
}

TEST(Threads, AreApartInTheTable) {
  Report r = threaded_report();
  for (std::uint64_t i = 0; i < 7; ++i) {
    r.sites.push_back(site(1, "tai", {frame("caller" + std::to_string(i), "/bin/daemon", i)}));
    r.sites.back().threads = {{0, 1}};
  }
  const std::string text = threads_table(r);
  expect_contains(text, "calls 1,130  served");
  expect_contains(text,
                  "          707   62.6%          354  thread worker/4711\n          600   53.1%   "
                  "       300  realtime         work+0x0");
  expect_contains(text, "            4    0.4%            2                   4 more callers\n");
  expect_contains(text,
                  "\n\n          410   36.3%          205  thread 4712 and 120 before it\n         "
                  " 400   35.4%");
  expect_contains(text,
                  "\n\n           20    1.8%           10  shared table\n           20    1.8%     "
                  "      10  monotonic        work");
  EXPECT_LE(widest(text), 100U);
}

TEST(Threads, ThatAReportDoesNotTellAreSaidToBeSo) {
  const std::string text = threads_table(small_report());
  expect_contains(text, "        1,130  100.0%          565  threads not told\n");
  Report r = threaded_report();
  r.sites[0].threads.pop_back();
  r.threads[1].calls -= 400;
  expect_contains(threads_table(r), "          400   35.4%          200  threads not told\n");
}

TEST(Threads, OfSeveralProcessesSayWhose) {
  const std::string text =
      render_folded({merge({threaded_report(), threaded_report(43)})}, {.threads = true});
  expect_contains(text,
                  "daemon (2 processes);thread worker/4711 of 42;main [first "
                  "seen];work;now();clock_gettime(realtime) 600\n");
  expect_contains(text,
                  "daemon (2 processes);thread worker/4711 of 43;main [first "
                  "seen];work;now();clock_gettime(realtime) 600\n");
  expect_contains(text, "daemon (2 processes);shared table of 43;");
}

TEST(Threads, AreTheOutermostLevelOfStacks) {
  const Report r = threaded_report();
  expect_contains(render_folded({r}, {.threads = true}),
                  "daemon[42];thread 4712 and 120 before it;main [first "
                  "seen];work;clock_gettime(monotonic) 10\n");
  const std::string tree = render_tree({r}, {.threads = true});
  expect_contains(tree,
                  "            700   61.9%  ├─ thread worker/4711\n            700   61.9%  │  └─ "
                  "clock_gettime(realtime)\n");
  expect_contains(tree, "             20    1.8%  └─ shared table\n");
  const std::string speedscope = render_speedscope({r}, {.threads = true});
  EXPECT_EQ(count_of(speedscope, "\"type\":\"sampled\""), 3U);
  expect_contains(speedscope, "\"daemon[42] thread worker/4711: clock calls\"");
  expect_contains(render_flamegraph({r}, {.threads = true}), "data-n=\"thread worker/4711\"");
  expect_contains(render_openmetrics({r}, {.threads = true}),
                  "sampled=\"false\",thread=\"worker/4711\"} 600\n");
  EXPECT_EQ(render_openmetrics({r}, {}).find("thread="), std::string::npos);
}

TEST(Threads, SamplesAreLeftOutAsTheyKnowNone) {
  Report r = threaded_report();
  r.stacks = {site(5000, "tai", {frame("sampled_caller", "/bin/daemon", 1)})};
  r.stacks[0].sampled = true;
  for (const Format& format : formats()) {
    if (format.binary || format.name == std::string("json")) continue;
    EXPECT_EQ(format.render({r}, {.threads = true}).find("sampled_caller"), std::string::npos)
        << format.name;
  }
  expect_contains(render_callgrind({r}, {.threads = true}), "desc: Counts: exact");
}

TEST(Threads, HaveATableInThePageWhereThereAreSeveral) {
  const std::string page = render_html({threaded_report()}, {});
  expect_contains(page, "id=\"threads\"");
  expect_contains(page, "<td>thread worker/4711</td>");
  EXPECT_EQ(page.find("data-n=\"thread"), std::string::npos)
      << "in the flame graph only where they are asked for apart";
  EXPECT_EQ(render_html({small_report()}, {}).find("id=\"threads\""), std::string::npos);
}

TEST(Tree, ShowsAllThreadsWhateverTheirNumber) {
  Report r = small_report();
  r.sites = {site(30, "realtime", {frame("work", "/bin/daemon", 1)})};
  for (std::uint32_t i = 0; i < 30; ++i) {
    r.threads.push_back({100 + i, "", 1, 42, false, false, 1});
    r.sites[0].threads.push_back({i, 1});
  }
  EXPECT_EQ(count_of(render_tree({r}, {.threads = true}), "─ thread 1"), 30U);
}

TEST(Rates, StandInTheTableByClockAndByCaller) {
  const std::string text = find_format("table")->render({watched_report()}, {});
  expect_contains(text,
                  "\nwatched for 3.5 s, in 3 intervals\n"
                  "calls/s  least  most  clock      caller\n"
                  "     86      0   400  realtime   all callers\n"
                  "      9      0    15  monotonic  all callers\n"
                  "     83      0   400  realtime   work (daemon)\n"
                  "      9      0    15  monotonic  work (daemon)\n"
                  "      3      0    10  realtime   log (daemon)\n\n");
  EXPECT_EQ(find_format("table")->render({small_report()}, {}).find("watched"), std::string::npos);
}

TEST(Rates, FitIntoTheWidthWithTheBusiestCallers) {
  Report r = watched_report();
  r.rates.callers.assign(12, {"realtime", std::string(150, 'n'), "daemon", "", {1, 1, 1}});
  const std::string text = find_format("table")->render({r}, {.width = 60});
  EXPECT_LE(widest(text), 60U) << text;
  EXPECT_EQ(count_of(text, " nnn"), 8U) << text;
  EXPECT_EQ(count_of(find_format("table")->render({r}, {}), std::string(150, 'n') + " (daemon)"),
            8U)
      << "whole in a file";
}

TEST(Rates, AreDrawnOnThePageInStepsAsLongAsTheIntervals) {
  const std::string page = render_html({watched_report()}, {});
  EXPECT_EQ(count_of(page, "<svg class=\"rates\""), 2U);
  // 100, 400 and 0 calls a second, of 400 at the top (10) and 0 at the bottom (210); from 90 to
  // 1200 are 3.5 s.
  expect_contains(page,
                  "<path class=\"s0\" d=\"M90.0 160.0V160.0H407.1V10.0H565.7V210.0H1200.0\"/>");
  expect_contains(page, "<title>1.00 to 1.50 s\n400/s realtime\n0/s monotonic</title>");
  expect_contains(page, "<i class=\"s0\"></i>work (daemon), realtime <b>83/s</b>");
  EXPECT_EQ(render_html({small_report()}, {}).find("<svg class=\"rates\""), std::string::npos);
}

TEST(Rates, OfManyIntervalsAreTakenTogetherAndOfManyCallersTheBusiestDrawn) {
  Report r = small_report();
  for (int i = 0; i < 10'000; ++i) r.rates.times.push_back(i + 1);
  for (int line = 0; line < 12; ++line)
    r.rates.callers.push_back({"realtime", "caller" + std::to_string(line), "", "",
                               std::vector<std::uint64_t>(10'000, 1)});
  r.rates.clocks = {{"realtime", "", "", "", std::vector<std::uint64_t>(10'000, 12)}};
  const std::string charts = rate_charts(r.rates);
  EXPECT_LE(count_of(charts, "<rect "), 2U * 600);
  EXPECT_EQ(count_of(charts, "<path "), 1U + 8U);
  expect_contains(charts, "0.00 to 17.00 s\n12/s realtime");
  EXPECT_EQ(charts.find("caller8"), std::string::npos);
}

TEST(Tree, FromTheQuestionOutward) {
  const std::string text = render_tree({small_report()}, {});
  expect_contains(text, "          1,130  100.0%  daemon[42]\n");
  expect_contains(text, "          1,100   97.3%  ├─ clock_gettime(realtime)\n");
  expect_contains(text, "          1,000   88.5%  │  ├─ now()  (libstdc++.so.6)\n");
  expect_contains(text, "          1,000   88.5%  │  │  └─ work  (daemon)\n");
  expect_contains(text, "                         │  │     first seen from main\n");
  expect_contains(text, "             30    2.7%     └─ work  (daemon)\n");
  EXPECT_EQ(render_tree({small_report()}, {.exact = true}).find("main"), std::string::npos)
      << "--exact";
}

TEST(Tree, CallersOfSampledStacksAreExactAndWhatIsBehindThemIsMarked) {
  Report r = small_report();
  r.stacks = r.sites;
  for (ReportSite& stack : r.stacks) {
    stack.sampled = true;
    stack.exact_frames = 0;
  }
  const std::string text = render_tree({r}, {});
  expect_contains(text, "          1,000   88.5%  │  │  └─ work  (daemon)\n");
  expect_contains(text, "         ~1,000   88.5%  │  │     └─ main  (daemon)\n");
  EXPECT_EQ(text.find("first seen"), std::string::npos);
  EXPECT_EQ(render_tree({r}, {.exact = true}).find('~'), std::string::npos) << "--exact";
}

TEST(Tree, ManyCallersAreSummedAndLinesStayWithinTheirWidth) {
  Report r = small_report();
  r.sites.clear();
  for (std::uint64_t i = 0; i < 30; ++i) {
    std::vector<ReportFrame> frames{frame("caller" + std::to_string(i), "/bin/daemon", i)};
    for (std::uint64_t f = 0; f < 7; ++f)
      frames.push_back(frame(std::string(40, 'o') + std::to_string(f), "/bin/daemon", f));
    r.sites.push_back(site(1000 - i, "realtime", frames));
  }
  const std::string text = render_tree({r}, {});
  expect_contains(text, "└─ 10 more callers\n");
  EXPECT_EQ(text.find("caller20"), std::string::npos);
  EXPECT_LE(widest(text), 120U);
  EXPECT_LE(widest(render_tree({hostile_report(true)}, {})), 120U);
}

}  // namespace
}  // namespace clockshim
