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

TEST(Advice, SameForSeveralCallersIsOneThatNamesThem) {
  Report r = asking(0, 0, 10);
  r.sites.clear();
  for (std::uint64_t i = 0; i < 30; ++i)
    r.sites.push_back(
        site(100'000 + i, "realtime", {frame("f" + std::to_string(i), "/bin/daemon", i)}));
  const auto all = advise(r);
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].text.find("f29 (daemon), f28 (daemon), f27 (daemon) and 27 more callers each "
                             "ask for realtime about 10,000 times or more between two resyncs"),
            0U)
      << all[0].text;
  EXPECT_NE(all[0].text.find("where they need no such fine time, they could"), std::string::npos);
  ASSERT_EQ(all[0].callers.size(), 30U);
  EXPECT_EQ(all[0].callers[29], "f0 (daemon)");
  r.sites.resize(2);
  EXPECT_EQ(advise(r)[0].text.find("f1 (daemon) and f0 (daemon) each ask"), 0U);
  r.sites[0].frames[0].symbol = "f1";
  EXPECT_EQ(advise(r)[0].text.find("f1 (daemon) asks for realtime about 20,000 times between"), 0U)
      << "two places of one function: " << advise(r)[0].text;
  r.sites[0].frames[0].symbol = "f0";
  r.sites[1].clock = "monotonic";
  EXPECT_EQ(advise(r).size(), 2U) << "another clock";
}

TEST(Advice, OfSeveralPairsAndWaitsSumsTheirCalls) {
  Report r = asking(10'000, 10'000);
  for (ReportSite each : std::vector(r.sites)) {
    each.frames[0].symbol = "tock";
    each.calls = 3000;
    r.sites.push_back(each);
  }
  ASSERT_EQ(advise(r).size(), 1U);
  EXPECT_EQ(advise(r)[0].text.find("tick (daemon) and tock (daemon) ask for realtime and monotonic "
                                   "equally often (13,000 and 13,000 calls together)"),
            0U)
      << advise(r)[0].text;
  r.sites.resize(1);
  r.sites.push_back(r.sites[0]);
  r.sites[1].frames[0].symbol = "tock";
  for (ReportSite& each : r.sites) {
    each.caller_function_start = each.frames[0].symbol == "tick" ? 16 : 17;
    each.timed_wait = "sem_timedwait";
  }
  ASSERT_EQ(advise(r).size(), 1U);
  EXPECT_EQ(advise(r)[0].text.find("tick (daemon) and tock (daemon) ask for realtime (20,000 calls "
                                   "together) and wait in sem_timedwait: "),
            0U)
      << advise(r)[0].text;
  EXPECT_EQ(advise(r)[0].text.find("saves"), std::string::npos) << "it is about being right";
}

TEST(Advice, SaysWhatItSavesInCallsOrCpuTime) {
  Report r = asking(10'000, 10'000);
  r.seconds = 2;
  EXPECT_NE(advise(r)[0].text.find("; saves up to 5,000 calls/s"), std::string::npos);
  EXPECT_EQ(advise(r)[0].text.find(" of CPU"), std::string::npos) << "costs are not known";
  EXPECT_EQ(advise(r)[0].saves_calls, 10'000U);
  EXPECT_EQ(advise(r)[0].saves_cpu_ns, 0);
  for (ReportClock& clock : r.clocks) {
    clock.real_call_ns = 2000;
    clock.served_call_ns = 25;
  }
  EXPECT_TRUE(advise(r)[0].text.ends_with(
      "; saves up to 5,000 calls/s, 125 us of CPU a second (10.0 ms by the real clock)"))
      << advise(r)[0].text;
  EXPECT_EQ(advise(r)[0].saves_cpu_ns, 250'000);
  for (ReportClock& clock : r.clocks) clock.real_call_ns = 30;
  EXPECT_TRUE(advise(r)[0].text.ends_with("; saves up to 5,000 calls/s, 125 us of CPU a second"))
      << advise(r)[0].text;
  r.seconds = 0;
  EXPECT_TRUE(advise(r)[0].text.ends_with("; saves up to 10,000 calls, 250 us of CPU"))
      << advise(r)[0].text;
}

// A clock that is not served is read less often, and costs more.
TEST(Advice, WhatSavesMostComesFirst) {
  Report r = asking(1'000'000, 900'000, 10);
  ASSERT_EQ(advise(r).size(), 2U);
  EXPECT_EQ(advise(r)[0].callers, std::vector<std::string>{"tick (daemon)"});
  EXPECT_NE(advise(r)[0].text.find("for realtime about"), std::string::npos) << "by calls";
  r.clocks[0].real_call_ns = r.clocks[1].real_call_ns = 2000;
  r.clocks[0].served_call_ns = 25;
  r.clocks[1].served_call_ns = 30;
  EXPECT_NE(advise(r)[0].text.find("for monotonic about"), std::string::npos) << "by CPU time";
  r.clocks[1].served_call_ns = 0;
  EXPECT_NE(advise(r)[0].text.find("for realtime about"), std::string::npos)
      << "by calls where one cost is not known";
}

}  // namespace
}  // namespace clockshim
