// Advice stands where the counts leave no doubt, and nowhere else.
#include "analysis/advice.h"

#include <gtest/gtest.h>

#include "reports.h"

namespace clockshim {
namespace {

using test::frame;
using test::site;

Report asking(std::uint64_t realtime, std::uint64_t monotonic, std::uint64_t resyncs = 1'000'000) {
  Report r = test::small_report();
  r.clocks = {{"realtime", realtime, realtime, 0, resyncs},
              {"monotonic", monotonic, monotonic, 0, resyncs}};
  r.sites = {site(realtime, "realtime", {frame("tick", "/bin/daemon", 32)}),
             site(monotonic, "monotonic", {frame("tick", "/bin/daemon", 64)})};
  return r;
}

TEST(Advice, PairsWithinOnePercent) {
  ASSERT_EQ(advise(asking(10'000, 10'100)).size(), 1U);
  const ReportAdvice advice = advise(asking(10'000, 10'100))[0];
  EXPECT_EQ(advice.kind, "pairs");
  EXPECT_EQ(
      advice.text.find(
          "tick (daemon) asks for realtime and monotonic equally often (10,000 and 10,100 calls)"),
      0U)
      << advice.text;
  EXPECT_TRUE(advise(asking(10'000, 10'103)).empty());
  EXPECT_TRUE(advise(asking(10'103, 10'000)).empty());
}

TEST(Advice, PairsOfAThousandCallsAtLeast) {
  EXPECT_EQ(advise(asking(1000, 1000)).size(), 1U);
  EXPECT_TRUE(advise(asking(999, 999)).empty());
}

TEST(Advice, PairsAreOneFunctions) {
  Report r = asking(10'000, 10'000);
  r.sites[1].frames[0].symbol = "tock";
  EXPECT_TRUE(advise(r).empty());
  r = asking(10'000, 10'000);
  r.sites[1].frames[0].module = "/bin/other";
  EXPECT_TRUE(advise(r).empty());
  r = asking(10'000, 10'000);
  r.sites[0].frames[0].symbol = r.sites[1].frames[0].symbol = "";
  EXPECT_TRUE(advise(r).empty()) << "nobody knows whether it is one function";
  r = asking(10'000, 10'000);
  r.sites[0].frames.insert(r.sites[0].frames.begin(), frame("now()", "/lib/libstdc++.so.6", 8));
  r.sites[0].exact_frames = 2;
  EXPECT_EQ(advise(r).size(), 1U) << "by way of a wrapper or not";
}

TEST(Advice, TimedWaitsOnTheClockThatIsSet) {
  Report r = asking(500, 0);
  r.sites.pop_back();
  EXPECT_TRUE(advise(r).empty()) << "no wait is known";
  r.sites[0].caller_function_start = 16;
  r.sites[0].timed_wait = "pthread_cond_timedwait";
  ASSERT_EQ(advise(r).size(), 1U);
  EXPECT_EQ(advise(r)[0].kind, "timed_wait");
  EXPECT_EQ(
      advise(r)[0].text.find(
          "tick (daemon) asks for realtime (500 calls) and waits in pthread_cond_timedwait: "),
      0U);
  EXPECT_NE(advise(r)[0].text.find("(pthread_condattr_setclock, or pthread_cond_clockwait)"),
            std::string::npos);
  r.sites[0].timed_wait = "sem_timedwait";
  EXPECT_NE(advise(r)[0].text.find("(sem_clockwait)"), std::string::npos);
  r.sites[0].calls = 99;
  EXPECT_TRUE(advise(r).empty());
  r = asking(500, 1);
  r.sites[0].timed_wait = "sem_timedwait";
  r.sites[0].caller_function_start = r.sites[1].caller_function_start = 16;
  EXPECT_TRUE(advise(r).empty()) << "the time-out may be made of the monotonic reading";
  r.sites[1].caller_function_start = 17;
  EXPECT_EQ(advise(r).size(), 1U) << "another function";
}

TEST(Advice, NothingOnEstimates) {
  Report r = asking(10'000, 10'000, 10);
  EXPECT_EQ(advise(r).size(), 3U);
  for (ReportSite& each : r.sites) each.sampled = true;
  EXPECT_TRUE(advise(r).empty());
}

TEST(Advice, ReuseWhereAThousandCallsFallIntoOneInterval) {
  const auto reuse = [](std::uint64_t calls, std::uint64_t resyncs) {
    Report r = asking(calls, 0, resyncs);
    return advise(r);
  };
  ASSERT_EQ(reuse(100'000, 100).size(), 1U);
  EXPECT_EQ(reuse(100'000, 100)[0].kind, "reuse");
  EXPECT_EQ(reuse(2'500'000, 100)[0].text.find(
                "tick (daemon) asks for realtime about 25,000 times between two resyncs"),
            0U);
  EXPECT_TRUE(reuse(99'999, 100).empty());
  EXPECT_TRUE(reuse(100'000, 9).empty()) << "too few for an average";
  EXPECT_TRUE(reuse(100'000, 0).empty()) << "passed through";
}

TEST(Advice, TheWeightiestFirstAndNotTooMuch) {
  Report r = asking(0, 0, 10);
  r.sites.clear();
  for (std::uint64_t i = 0; i < 30; ++i)
    r.sites.push_back(
        site(100'000 + i, "realtime", {frame("f" + std::to_string(i), "/bin/daemon", i)}));
  const auto all = advise(r);
  ASSERT_EQ(all.size(), 10U);
  EXPECT_EQ(all[0].text.find("f29 "), 0U);
}

}  // namespace
}  // namespace clockshim
