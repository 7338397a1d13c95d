// `clockshim bench`: its sums, and the command as a whole. How fast anything is, is not asked here:
// the machine may be busy.
#include "cli/bench/cmd_bench.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "cli/bench/render_bench.h"
#include "cli/machine/bench_rows.h"
#include "cli/machine/clocks_measured.h"
#include "cli/machine/cpu_set.h"
#include "run_command.h"

namespace clockshim::cli {
namespace {

using test::Ending;
using test::run_clockshim;
using test::TempDir;
using Json = nlohmann::json;

TEST(BenchSums, MedianAndTails) {
  std::vector<double> samples;
  for (int i = 100; i >= 0; --i) samples.push_back(i);
  const Cost cost = summarise(samples, 32);
  EXPECT_EQ(cost.calls, 101U * 32);
  EXPECT_DOUBLE_EQ(cost.median, 50);
  EXPECT_DOUBLE_EQ(cost.p99, 99);
  EXPECT_DOUBLE_EQ(cost.spread(), 80);
  EXPECT_DOUBLE_EQ(cost.average(), 50);
  EXPECT_DOUBLE_EQ(summarise({}, 32).average(), 0);
}

TEST(BenchSums, Frequency) {
  const CounterSample from{Ticks{1000}, Nanos{5000}, TickDelta{100}};
  const CounterSample to{Ticks{1000 + 2'400'000}, Nanos{5000 + 1'000'000}, TickDelta{140}};
  const Frequency frequency = frequency_between(from, to);
  EXPECT_DOUBLE_EQ(frequency.mhz, 2400);
  EXPECT_DOUBLE_EQ(frequency.error_ppm, 100);
  EXPECT_DOUBLE_EQ(frequency_between(to, from).mhz, 0)
      << "a counter that went backwards has no frequency";
}

TEST(BenchSums, ThreadCounts) {
  EXPECT_EQ(thread_counts(1), (std::vector<int>{1}));
  EXPECT_EQ(thread_counts(2), (std::vector<int>{1, 2}));
  EXPECT_EQ(thread_counts(6), (std::vector<int>{1, 2, 4, 6}));
  EXPECT_EQ(thread_counts(0), (std::vector<int>{1}));
}

// A clock that advances by 7 ns a reading, and every hundredth time falls back by 3.
int falling_clock(clockid_t /*id*/, timespec* t) {
  static std::int64_t now = 0;
  static int readings = 0;
  now += ++readings % 100 == 0 ? -3 : 7;
  *t = {now / kNanosPerSecond, now % kNanosPerSecond};
  return 0;
}

// One that is a second ahead on every CPU but the first.
const std::vector<int> g_cpus = allowed_cpus();
int warped_clock(clockid_t /*id*/, timespec* t) {
  static long now = 0;
  *t = {sched_getcpu() == g_cpus.front() ? 1 : 2, ++now};
  return 0;
}

int no_clock(clockid_t /*id*/, timespec* /*t*/) { return -1; }

TEST(BenchRows, StepsAreSeen) {
  const ClockReader way{"falling", falling_clock, kBare.gettimeofday};
  const Budget budget{Nanos{1}, milliseconds(1), Nanos{}};
  const std::vector<Row> rows = measure_rows(way, budget, Timebase{});
  ASSERT_EQ(rows.size(), kMeasuredClocks.size() + 1);
  EXPECT_EQ(rows[0].way, "falling");
  EXPECT_EQ(rows[0].steps.resolution, 7);
  EXPECT_EQ(rows[0].steps.worst, 3);
  EXPECT_NEAR(static_cast<double>(rows[0].steps.backward),
              static_cast<double>(rows[0].steps.readings) / 100, 1);
}

// Time that goes backwards only from one CPU to another is seen: the thread goes there and comes
// back.
TEST(BenchRows, StepsBetweenCpusAreSeen) {
  if (g_cpus.size() < 2) GTEST_SKIP() << "one CPU";
  const std::vector<Row> rows = measure_rows({"warped", warped_clock, kBare.gettimeofday},
                                             {Nanos{1}, Nanos{1}, Nanos{}}, Timebase{});
  EXPECT_GT(rows[0].steps.backward, 0U);
  EXPECT_GT(rows[0].steps.worst, kNanosPerSecond / 2);
  EXPECT_EQ(allowed_cpus(), g_cpus) << "it may run where it could before";
}

TEST(BenchRows, ClocksThatTheKernelHasNotAreLeftOut) {
  const std::vector<Row> rows = measure_rows({"none", no_clock, kBare.gettimeofday},
                                             {Nanos{1}, Nanos{}, Nanos{}}, Timebase{});
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].clock, "gettimeofday");
}

// The proof itself: under the filter the raw system call has to fail, and so every clock that is
// answered was the vDSO's.
TEST(BenchProof, CpuClocksAreSystemCallsAlways) {
  const auto proof = prove_vdso();
  if (!proof) GTEST_SKIP() << "no filter can be installed here";
  ASSERT_EQ(proof->size(), kMeasuredClocks.size());
  for (std::size_t i = 0; i < proof->size(); ++i) {
    const std::string_view name = kMeasuredClocks[i].name;
    if (name.ends_with("cputime")) {
      EXPECT_EQ((*proof)[i], ServedBy::system_call) << name;
    }
    if (name.ends_with("coarse") && real::has_vdso()) {
      EXPECT_EQ((*proof)[i], ServedBy::vdso) << name;
    }
  }
}

BenchReport small_report() {
  BenchReport report;
  report.cpu = "CPU <A&B>";
  for (const char* way : {"bare", "raw", "strict", "relaxed"})
    report.rows.push_back({"monotonic", way, summarise({100, 100}, 32), {}});
  return report;
}

TEST(BenchRenders, EachWayOnce) {
  const std::string text = render_bench_text(small_report());
  EXPECT_EQ(test::count_of(text, "\nmonotonic"), 4U) << text;
  const std::string svg = render_bench_svg(small_report());
  EXPECT_EQ(test::count_of(svg, "100.0</text>"), 4U) << svg;
  EXPECT_NE(svg.find("CPU &lt;A&amp;B&gt;"), std::string::npos) << svg;
}

TEST(BenchRenders, TablesThatFit) {
  BenchReport report = small_report();
  report.rows[0].cost = summarise({1e9, 2e9}, 1'000'000);
  report.shims.push_back({});
  report.shims.back().order = "strict";
  report.shims.back().problem = "a reason that is longer than a narrow terminal is wide, by far";
  for (const std::size_t width : {60, 80, 160, 200}) {
    const std::string text = render_bench_text(report, width);
    EXPECT_LE(test::widest_line(text), width) << text;
    for (const char* heading :
         {"average", "median", "p99", "spread", "resolution", "backward", "worst", "run, times"})
      EXPECT_EQ(test::count_of(text.substr(0, text.find("ns a call")), heading), 1U)
          << heading << "\n"
          << text;
    EXPECT_EQ(test::count_of(text, "\nmonotonic") > 4, width < 160) << text;
  }
}

TEST(BenchCommand, MeasuresEachClockEachWay) {
  const TempDir folder;
  const Ending ending =
      run_clockshim({"bench", "--quick", "--json", "--plot", folder.path("plot.svg")});
  const Json json = Json::parse(ending.out, nullptr, false);
  ASSERT_TRUE(json.is_object()) << ending.out << ending.err;
  EXPECT_EQ(ending.err, "");
  std::set<std::string> ways;
  std::uint64_t backward = 0;
  for (const Json& row : json["rows"]) {
    if (row["clock"] == "monotonic") ways.insert(row["way"]);
    EXPECT_GT(row["calls"], 0) << row;
    backward += row["backward"].get<std::uint64_t>();
  }
  EXPECT_EQ(ways, (std::set<std::string>{"bare", "raw", "strict", "relaxed"}));
  EXPECT_EQ(ending.exit_code, backward > 0 ? 1 : 0);
  EXPECT_EQ(json["shim"]["strict"]["problem"], "");
  EXPECT_NE(json["shim"]["strict"]["mode"], "") << "the library's report was read";
  std::ostringstream svg;
  svg << std::ifstream(folder.path("plot.svg")).rdbuf();
  EXPECT_TRUE(svg.str().starts_with("<svg")) << svg.str();
  EXPECT_TRUE(svg.str().ends_with("</svg>\n"));
  std::ifstream file(std::string(getenv("CLOCKSHIM_TEST_DOCS")) + "/bench.schema.json");
  const Json schema = Json::parse(file);
  for (const Json& name : schema["required"]) EXPECT_TRUE(json.contains(name)) << name;
  const Json& row_schema = schema["properties"]["rows"]["items"];
  for (const Json& name : row_schema["required"])
    EXPECT_TRUE(json["rows"][0].contains(name)) << name;
  EXPECT_EQ(row_schema["properties"].size(), json["rows"][0].size());
}

TEST(BenchCommand, LibraryThatIsNotThere) {
  const Ending ending = run_clockshim({"bench", "--quick"}, {"CLOCKSHIM_LIBRARY=/nowhere/lib.so"});
  EXPECT_EQ(ending.exit_code, 1);
  EXPECT_NE(ending.out.find("not measured: CLOCKSHIM_LIBRARY=\"/nowhere/lib.so\""),
            std::string::npos)
      << ending.out;
  EXPECT_NE(ending.out.find("\nmonotonic"), std::string::npos) << "what can be measured is";
}

TEST(BenchCommand, MistakesAreOneLine) {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"bench", "--plot", "/nowhere/x.svg"},
        {"bench", "--plot", ""},
        {"bench", "--", "sh"},
        {"bench", "sh"}}) {
    const Ending ending = run_clockshim(arguments);
    EXPECT_EQ(ending.exit_code, 2) << arguments.back();
    EXPECT_EQ(ending.out, "");
    EXPECT_EQ(test::count_of(ending.err, "\n"), 1U) << ending.err;
  }
}

}  // namespace
}  // namespace clockshim::cli
