// Several reports as one: sums, who is the same caller, and what has no sum.
#include "analysis/merge.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "reports.h"

namespace clockshim {
namespace {

using test::frame;
using test::site;
using test::small_report;
using test::threaded_report;
using test::watched_report;

TEST(Merge, OfOneIsItself) {
  EXPECT_EQ(render_json(merge({small_report()})), render_json(small_report()));
}

TEST(Merge, OfNoneIsNothing) { EXPECT_EQ(merge({}).calls(), 0U); }

TEST(Merge, SumsAndProcesses) {
  Report second = small_report(43);
  second.dropped = 4;
  second.disturbances = 2;
  second.clocks.push_back({"tai", 5, 4, 1, 3});
  const Report sum = merge({small_report(), second, small_report(44)});
  EXPECT_EQ(sum.calls(), 3 * 1130U + 5);
  EXPECT_EQ(sum.clocks[0].served, 3 * 1099U);
  EXPECT_EQ(sum.clocks[0].resyncs, 21U);
  EXPECT_EQ(sum.dropped, 4U);
  EXPECT_EQ(sum.disturbances, 2U);
  EXPECT_EQ(sum.pids, (std::vector<long>{42, 43, 44}));
  ASSERT_EQ(sum.sites.size(), 3U);
  EXPECT_EQ(sum.sites[0].calls, 3000U);
  EXPECT_EQ(sum.sites[2].calls, 90U);
  EXPECT_EQ(sum.mode, "coherent");
  EXPECT_EQ(merge({sum, small_report(45)}).pids, (std::vector<long>{42, 43, 44, 45}))
      << "merging goes on";
}

TEST(Merge, SavingsAreSumsAndCostsAreMeans) {
  Report first = small_report();
  Report second = small_report(43);
  first.clocks[0].real_call_ns = 2000;
  first.clocks[0].served_call_ns = 20;
  first.clocks[0].saved_ns = 1000;
  second.clocks[0].served = 3 * first.clocks[0].served;
  second.clocks[0].real_call_ns = 1000;
  second.clocks[0].served_call_ns = 40;
  second.clocks[0].saved_ns = 500;
  first.saved_how = "as it was read";
  const Report sum = merge({small_report(44), first, second});
  EXPECT_EQ(sum.clocks[0].saved_ns, 1500);
  EXPECT_DOUBLE_EQ(sum.clocks[0].real_call_ns, 1250) << "those that were not measured do not count";
  EXPECT_DOUBLE_EQ(sum.clocks[0].served_call_ns, 35);
  EXPECT_EQ(sum.saved_how, "");
}

std::uint64_t calls_by_thread(const Report& report) {
  std::uint64_t sum = 0;
  for (const ReportThread& thread : report.threads) sum += thread.calls;
  return sum;
}

TEST(Merge, ThreadsStayApartAndEachCallIsStillOnes) {
  const Report sum = merge({threaded_report(), threaded_report(43)});
  ASSERT_EQ(sum.threads.size(), 6U);
  EXPECT_EQ(calls_by_thread(sum), sum.calls());
  EXPECT_EQ(sum.threads[0].calls, 700U);
  EXPECT_EQ(sum.threads[0].pid, 42);
  EXPECT_EQ(sum.threads[1].calls, 700U);
  EXPECT_EQ(sum.threads[1].pid, 43);
  EXPECT_TRUE(sum.threads[4].shared && sum.threads[5].shared);
  ASSERT_EQ(sum.sites[0].threads.size(), 4U);
  std::uint64_t first = 0;
  for (const ReportShare& share : sum.sites[0].threads) first += share.calls;
  EXPECT_EQ(first, 2000U);
  EXPECT_EQ(calls_by_thread(merge({sum, threaded_report(44)})), 3 * 1130U) << "merging goes on";
}

TEST(Merge, TwoSitesOfOneThreadThatBecomeOneAreOneShare) {
  Report twice = threaded_report();
  twice.sites.push_back(twice.sites[1]);
  const Report sum = merge({twice, small_report(43)});
  ASSERT_EQ(sum.sites[1].calls, 300U);
  ASSERT_EQ(sum.sites[1].threads.size(), 1U);
  EXPECT_EQ(sum.sites[1].threads[0].calls, 200U);
  EXPECT_EQ(sum.threads[0].calls, 800U);
}

bool says_that_rates_are_left_out(const Report& report) {
  return std::count(report.notes.begin(), report.notes.end(),
                    "rates over time are left out: not all of the merged reports were looked at in "
                    "the same moments") == 1;
}

TEST(Merge, RatesOfTheSameMomentsAreSummed) {
  Report other = watched_report(43);
  other.rates.callers[0].caller = "elsewhere";
  const Report sum = merge({watched_report(), other});
  EXPECT_EQ(sum.rates.times, watched_report().rates.times);
  EXPECT_EQ(sum.rates.clocks[0].calls, (std::vector<std::uint64_t>{200, 400, 0}));
  ASSERT_EQ(sum.rates.callers.size(), 4U);
  EXPECT_EQ(sum.rates.callers[2].caller, "work") << "most calls first";
  EXPECT_EQ(sum.rates.callers[2].calls, (std::vector<std::uint64_t>{0, 0, 60}));
  EXPECT_FALSE(says_that_rates_are_left_out(sum));
}

TEST(Merge, RatesOfOtherMomentsAreLeftOutAndThatIsSaid) {
  Report later = watched_report(43);
  later.rates.started_at += 1;
  Report shorter = watched_report(43);
  shorter.rates.times.back() -= 0.1;
  for (const Report& other : {later, shorter, small_report(43)}) {
    for (const Report& sum : {merge({watched_report(), other}), merge({other, watched_report()})}) {
      EXPECT_TRUE(sum.rates.times.empty());
      EXPECT_TRUE(sum.rates.clocks.empty());
      EXPECT_TRUE(says_that_rates_are_left_out(sum));
    }
  }
  EXPECT_FALSE(says_that_rates_are_left_out(merge({small_report(), small_report(43)})));
}

TEST(Merge, ACallerIsTheSameByExactFrames) {
  Report a = small_report();
  Report b = small_report(43);
  a.sites = {
      site(10, "realtime", {frame("work", "/bin/daemon", 32), frame("one", "/bin/daemon", 48)})};
  b.sites = {
      site(20, "realtime", {frame("work", "/bin/daemon", 32), frame("other", "/bin/daemon", 64)})};
  const Report same = merge({a, b});
  ASSERT_EQ(same.sites.size(), 1U) << "what is behind the exact frames tells nobody apart";
  EXPECT_EQ(same.sites[0].frames[1].symbol, "other") << "the busier one's";
  b.sites[0].exact_frames = 2;
  EXPECT_EQ(merge({a, b}).sites.size(), 2U);
  b.sites = {site(20, "monotonic", a.sites[0].frames)};
  EXPECT_EQ(merge({a, b}).sites.size(), 2U) << "another clock";
  b.sites = {site(20, "realtime", {frame("work", "/bin/daemon", 33)})};
  EXPECT_EQ(merge({a, b}).sites.size(), 2U) << "another place";
}

TEST(Merge, AModuleIsTheSameByBuildIdElseByPath) {
  Report a = small_report();
  Report b = small_report(43);
  a.sites = {site(10, "realtime", {frame("", "/a/lib.so", 32)})};
  b.sites = {site(20, "realtime", {frame("", "/b/lib.so", 32)})};
  EXPECT_EQ(merge({a, b}).sites.size(), 2U);
  a.sites[0].frames[0].build_id = b.sites[0].frames[0].build_id = "abcdef";
  EXPECT_EQ(merge({a, b}).sites.size(), 1U);
  b.sites[0].frames[0].module = "/a/lib.so";
  b.sites[0].frames[0].build_id = "abcdee";
  EXPECT_EQ(merge({a, b}).sites.size(), 2U) << "another build at the same path";
}

TEST(Merge, GeneratedCodeIsTheSameByNameElseApartByProcess) {
  Report a = small_report();
  Report b = small_report(43);
  a.sites = b.sites = {site(10, "realtime", {frame("", "", 0x7f00)})};
  EXPECT_EQ(merge({a, b}).sites.size(), 2U);
  a.sites[0].frames[0].symbol = b.sites[0].frames[0].symbol = "Clock.tick";
  b.sites[0].frames[0].offset = 0x8f00;
  EXPECT_EQ(merge({a, b}).sites.size(), 1U);
}

TEST(Merge, APythonFunctionIsTheSameByNameFileAndLine) {
  Report a = small_report();
  Report b = small_report(43);
  a.sites = {site(10, "realtime", {test::python_frame("handler", "/srv/app.py", 12)})};
  b.sites = {site(20, "realtime", {test::python_frame("handler", "/srv/app.py", 12)})};
  ASSERT_EQ(merge({a, b}).sites.size(), 1U);
  EXPECT_EQ(merge({a, b}).sites[0].calls, 30U);
  b.sites[0].frames[0].line = 13;
  EXPECT_EQ(merge({a, b}).sites.size(), 2U);
  b.sites[0].frames[0] = test::python_frame("handler", "/srv/other/app.py", 12);
  EXPECT_EQ(merge({a, b}).sites.size(), 2U);
}

TEST(Merge, PercentilesComeFromTheHistograms) {
  Report a = small_report();
  Report b = small_report(43);
  a.samples = 10;
  a.errors = {{15, 10}};
  b.samples = 1000;
  b.errors = {{31, 990}, {63, 10}};
  a.max_ns = 14;
  b.max_ns = 60;
  const Report sum = merge({a, b});
  EXPECT_EQ(sum.samples, 1010U);
  EXPECT_EQ(sum.p50_ns, 31);
  EXPECT_EQ(sum.p99_ns, 31);
  EXPECT_EQ(sum.max_ns, 60);
  EXPECT_TRUE(sum.notes.empty());
  a.errors.clear();
  const Report largest = merge({a, b});
  EXPECT_EQ(largest.p99_ns, 80);
  ASSERT_EQ(largest.notes.size(), 1U);
  EXPECT_TRUE(largest.errors.empty());
}

TEST(Merge, WordsThatDifferAndTimes) {
  Report a = small_report();
  Report b = small_report(43);
  b.mode = "percpu";
  b.program = "other";
  Report sum = merge({a, b});
  EXPECT_EQ(sum.mode, "mixed");
  EXPECT_EQ(sum.program, "daemon, other");
  EXPECT_EQ(sum.seconds, 2) << "starts not known: the longest";
  a.started_at = 1000;
  b.started_at = 1005;
  sum = merge({a, b});
  EXPECT_EQ(sum.started_at, 1000);
  EXPECT_EQ(sum.seconds, 7) << "from the first start to the last end";
}

}  // namespace
}  // namespace clockshim
