// The reader of live files: the sums of all threads, and each thread's own share.
#include <gtest/gtest.h>

#include "read_live.h"

namespace clockshim {
namespace {

TEST(ReadLive, SumsThreadsAndTheSharedTableAndLeavesRulesOut) {
  LiveRegion region;
  region.count(0, kRealtime, 10);
  region.count(0, SiteKey{kMonotonic.raw() | SiteKey::kRule}, 0xFFFFFFFF);
  region.count(7, kRealtime, 5);
  region.count(7, kMonotonic, 1);
  region->threads[9].entries[0] = {kRealtime.raw(), 1000};  // nobody has used this table
  region->threads[9].real[CLOCK_REALTIME] = 1000;
  region.count_shared(kRealtime, 3);
  region->threads[0].real[CLOCK_REALTIME] = 2;
  region->shared.real[CLOCK_REALTIME] = 1;
  region->shared.real[CLOCK_MONOTONIC] = 100;  // counted here already, and there not yet
  region->shared.dropped = 4;
  region->clock.clocks[CLOCK_REALTIME].resyncs = 6;
  region->clock.disturbances = 8;
  const Report r = read(region);
  ASSERT_EQ(r.sites.size(), 2U);
  EXPECT_EQ(r.sites[0].calls, 18U);
  EXPECT_EQ(r.sites[0].clock, "realtime");
  EXPECT_EQ(r.sites[0].function, "clock_gettime");
  EXPECT_TRUE(r.sites[0].frames.empty()) << "a site without a record keeps its count";
  EXPECT_EQ(r.sites[1].calls, 1U);
  EXPECT_EQ(r.calls(), 19U);
  const ReportClock& realtime = clock_of(r, "realtime");
  EXPECT_EQ(realtime.calls, 18U);
  EXPECT_EQ(realtime.real, 3U);
  EXPECT_EQ(realtime.served, 15U);
  EXPECT_EQ(realtime.resyncs, 6U);
  EXPECT_EQ(clock_of(r, "monotonic").real, 1U);
  EXPECT_EQ(r.dropped, 4U);
  EXPECT_EQ(r.disturbances, 8U);
}

// Calls of a thread by site, as "monotonic 3, realtime 10".
std::string shares_of(const Report& report, std::size_t thread) {
  std::string out;
  for (const ReportSite& site : report.sites) {
    for (const ReportShare& share : site.threads) {
      if (share.thread == thread)
        out += (out.empty() ? "" : ", ") + site.clock + " " + std::to_string(share.calls);
    }
  }
  return out;
}

TEST(ReadLive, TellsThreadsApartTheBusiestFirstAndTheSharedTableLast) {
  LiveRegion region;
  region.count(0, kRealtime, 10);
  region.count(0, kMonotonic, 3);
  region->threads[0].tid = 42;
  region->threads[0].threads = 1;
  region->threads[0].owner = 0x7f00;
  region.count(7, kMonotonic, 1000);
  region->threads[7].tid = 4711;
  region->threads[7].threads = 121;
  region.count(8, SiteKey{kMonotonic.raw() | SiteKey::kRule}, 0xFFFFFFFF);  // has asked nothing
  region.count_shared(kRealtime, 5000);
  const Report r = read(region);
  ASSERT_EQ(r.threads.size(), 3U);
  EXPECT_EQ(r.threads[0].tid, 4711U);
  EXPECT_EQ(r.threads[0].threads, 121U);
  EXPECT_TRUE(r.threads[0].ended) << "its table is free";
  EXPECT_EQ(r.threads[0].calls, 1000U);
  EXPECT_EQ(r.threads[0].pid, 42);
  EXPECT_EQ(shares_of(r, 0), "monotonic 1000");
  EXPECT_EQ(r.threads[1].tid, 42U);
  EXPECT_FALSE(r.threads[1].ended);
  EXPECT_EQ(shares_of(r, 1), "realtime 10, monotonic 3");
  EXPECT_TRUE(r.threads[2].shared);
  EXPECT_EQ(r.threads[2].tid, 0U);
  EXPECT_EQ(shares_of(r, 2), "realtime 5000");
  EXPECT_EQ(r.calls(), 6013U) << "each call once";
}

TEST(ReadLive, AKeyThatATableHasTwiceIsOneShare) {
  LiveRegion region;
  region.count(0, kRealtime, 10);
  region.count(0, kRealtime, 20);
  const Report r = read(region);
  ASSERT_EQ(r.sites.size(), 1U);
  EXPECT_EQ(r.sites[0].calls, 30U);
  EXPECT_EQ(shares_of(r, 0), "realtime 30");
}

TEST(ReadLive, WhereTablesDoNotSayWhoseTheyAreThreadsHaveNoNumber) {
  LiveRegion region;  // as the first versions wrote it: the fields were padding, and zero
  region.count(3, kRealtime, 10);
  const Report r = read(region);
  ASSERT_EQ(r.threads.size(), 1U);
  EXPECT_EQ(r.threads[0].tid, 0U);
  EXPECT_EQ(r.threads[0].threads, 0U);
  EXPECT_EQ(r.threads[0].calls, 10U);
}

}  // namespace
}  // namespace clockshim
