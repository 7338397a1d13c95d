// The live file's layout is what docs/report-format.md says: others may read it by that.
#include "live/layout.h"

#include <gtest/gtest.h>

namespace clockshim::live {
namespace {

TEST(Layout, OfTheHeader) {
  EXPECT_EQ(offsetof(Header, version), 8U);
  EXPECT_EQ(offsetof(Header, header_size), 12U);
  EXPECT_EQ(offsetof(Header, sections), 16U);
  EXPECT_EQ(sizeof(Section), 16U);
  EXPECT_EQ(offsetof(Header, state), 144U);
  EXPECT_EQ(offsetof(Header, uid), 148U);
  EXPECT_EQ(offsetof(Header, pid), 152U);
  EXPECT_EQ(offsetof(Header, forked_from), 156U);
  EXPECT_EQ(offsetof(Header, run_pid), 160U);
  EXPECT_EQ(offsetof(Header, stacks_every), 164U);
  EXPECT_EQ(offsetof(Header, pid_namespace), 168U);
  EXPECT_EQ(offsetof(Header, start_ticks), 176U);
  EXPECT_EQ(offsetof(Header, started_at), 184U);
  EXPECT_EQ(offsetof(Header, started), 192U);
  EXPECT_EQ(offsetof(Header, ended), 200U);
  EXPECT_EQ(offsetof(Header, tolerance), 208U);
  EXPECT_EQ(offsetof(Header, clockshim_version), 216U);
  EXPECT_EQ(offsetof(Header, program), 248U);
  EXPECT_EQ(offsetof(Header, executable), 312U);
  EXPECT_EQ(offsetof(Header, clocksource), 824U);
  EXPECT_EQ(offsetof(Header, order), 856U);
  EXPECT_EQ(offsetof(Header, profile), 872U);
  EXPECT_EQ(offsetof(Header, mode), 888U);
  EXPECT_EQ(offsetof(Header, mode_reason), 904U);
  EXPECT_EQ(offsetof(Header, notes), 1160U);
  EXPECT_EQ(offsetof(Header, counted), 3208U);
  EXPECT_EQ(offsetof(Header, token), 3216U);
  EXPECT_EQ(offsetof(Header, pages), 3224U);
  EXPECT_EQ(offsetof(Header, link), 3272U);
  EXPECT_EQ(offsetof(Header, costs), 3600U);
  EXPECT_EQ(sizeof(CallCost), 8U);
  EXPECT_EQ(sizeof(Header), 4096U);
}

TEST(Layout, OfTheClock) {
  EXPECT_EQ(sizeof(ClockRecord::Clock), 16U);
  EXPECT_EQ(offsetof(ClockRecord, disturbances), 256U);
  EXPECT_EQ(offsetof(ClockRecord, change_ticks), 264U);
  EXPECT_EQ(offsetof(ClockRecord, last_change), 272U);
  EXPECT_EQ(offsetof(ClockRecord, last_resync), 280U);
  EXPECT_EQ(offsetof(ClockRecord, accuracy), 288U);
}

TEST(Layout, OfModulesAndSites) {
  EXPECT_EQ(sizeof(ModuleRecord), 320U);
  EXPECT_EQ(offsetof(ModuleRecord, start), 8U);
  EXPECT_EQ(offsetof(ModuleRecord, build_id_size), 32U);
  EXPECT_EQ(offsetof(ModuleRecord, path), 64U);
  EXPECT_EQ(sizeof(SiteRecord), 96U);
  EXPECT_EQ(offsetof(SiteRecord, state), 8U);
  EXPECT_EQ(offsetof(SiteRecord, frames), 12U);
  EXPECT_EQ(offsetof(SiteRecord, exact_frames), 13U);
  EXPECT_EQ(offsetof(SiteRecord, retired), 14U);
  EXPECT_EQ(offsetof(SiteRecord, module), 16U);
  EXPECT_EQ(offsetof(SiteRecord, pc), 32U);
}

TEST(Layout, OfCounts) {
  EXPECT_EQ(offsetof(ThreadTable, owner), 2048U);
  EXPECT_EQ(offsetof(ThreadTable, used), 2056U);
  EXPECT_EQ(offsetof(ThreadTable, real), 2064U);
  EXPECT_EQ(offsetof(ThreadTable, tid), 2192U);
  EXPECT_EQ(offsetof(ThreadTable, threads), 2196U);
  EXPECT_EQ(sizeof(ThreadTable), 2240U)
      << "as in the first files: a longer one would not be read out of them";
  EXPECT_EQ(offsetof(SharedCounts, dropped_samples), 8U);
  EXPECT_EQ(offsetof(SharedCounts, real), 16U);
  EXPECT_EQ(offsetof(SharedCounts, entries), 144U);
  EXPECT_EQ(sizeof(StackRecord), 392U);
  EXPECT_EQ(offsetof(StackRecord, samples), 8U);
  EXPECT_EQ(offsetof(StackRecord, state), 16U);
  EXPECT_EQ(offsetof(StackRecord, depth), 20U);
  EXPECT_EQ(offsetof(StackRecord, cut), 22U);
  EXPECT_EQ(offsetof(StackRecord, pc), 24U);
}

}  // namespace
}  // namespace clockshim::live
