// The reader of live files: sums, names of modules and texts as the library's own report has them.
#include "report/read_live.h"

#include <gtest/gtest.h>

#include "read_live.h"

namespace clockshim {
namespace {

TEST(ReadLive, TellsTheHeader) {
  LiveRegion region;
  region->header.forked_from = 41;
  LiveRegion::set(region->header.notes[1], "something is so");
  const Report r = read(region);
  EXPECT_EQ(r.version, "1.2");
  EXPECT_EQ(r.program, "daemon");
  EXPECT_EQ(r.pid, 42);
  EXPECT_EQ(r.forked_from, 41);
  EXPECT_EQ(r.state, "running");
  EXPECT_DOUBLE_EQ(r.started_at, 1'700'000'000.5);
  EXPECT_EQ(r.clocksource, "acpi_pm");
  EXPECT_EQ(r.mode, "coherent");
  EXPECT_EQ(r.mode_reason, "because");
  EXPECT_EQ(r.order, "strict");
  EXPECT_EQ(r.profile, "sites");
  EXPECT_EQ(r.tolerance_ns, 10'000);
  EXPECT_EQ(r.notes,
            (std::vector<std::string>{"something is so",
                                      "forked from process 41; counts are this process's own"}));
}

TEST(ReadLive, LastsToItsEndElseToNowElseToTheLastResync) {
  LiveRegion region;
  EXPECT_EQ(read(region).seconds, 0);
  region->clock.last_resync = 3'500'000'000;
  EXPECT_DOUBLE_EQ(read(region).seconds, 2.5);
  EXPECT_DOUBLE_EQ(read(region, Nanos{5'000'000'000}).seconds, 4);
  region->header.ended = 4'000'000'000;
  region->header.state = live::State::ended;
  EXPECT_DOUBLE_EQ(read(region, Nanos{5'000'000'000}).seconds, 3);
  EXPECT_EQ(read(region).state, "ended");
  region->header.started = INT64_MIN;
  region->header.ended = INT64_MAX;
  EXPECT_GT(read(region).seconds, 1e9);
  region->header.started = INT64_MAX;
  region->header.ended = INT64_MIN;
  EXPECT_EQ(read(region).seconds, 0);
}

TEST(ReadLive, SaysHowManyStacksFoundNoRoom) {
  LiveRegion region;
  EXPECT_TRUE(read(region).notes.empty());
  region->shared.dropped_samples = 6;
  ASSERT_EQ(read(region).notes.size(), 1U);
  EXPECT_EQ(read(region).notes[0], "6 sampled stacks found no room; the callers' counts are whole");
}

TEST(ReadLive, SaysWhatServingHasSaved) {
  LiveRegion region;
  region.count(0, kRealtime, 1'000'000);
  EXPECT_EQ(clock_of(read(region), "realtime").real_call_ns, 0) << "a file of an earlier version";
  EXPECT_EQ(clock_of(read(region), "realtime").saved_ns, 0);
  region->header.costs[CLOCK_REALTIME].real = 2'025'000;
  region->header.costs[CLOCK_REALTIME].served = 25'000;
  region->clock.clocks[CLOCK_REALTIME].resyncs = 100;
  region->threads[0].real[CLOCK_REALTIME] = 4;
  const ReportClock clock = clock_of(read(region), "realtime");
  EXPECT_DOUBLE_EQ(clock.real_call_ns, 2025);
  EXPECT_DOUBLE_EQ(clock.served_call_ns, 25);
  EXPECT_EQ(clock.saved_ns, 999'996 * 2000L - 100 * 2025L);
  region->clock.clocks[CLOCK_REALTIME].unreachable_best = 5;
  EXPECT_TRUE(clock_of(read(region), "realtime").unreachable);
}

TEST(ReadLive, WithoutCountingTellsTheClocksThatWereResynced) {
  LiveRegion region;
  region->clock.clocks[CLOCK_TAI].resyncs = 3;
  EXPECT_TRUE(read(region).clocks.empty());
  LiveRegion::set(region->header.profile, "off");
  EXPECT_EQ(clock_of(read(region), "tai").resyncs, 3U);
}

TEST(ReadLive, GivesFramesTheirModules) {
  LiveRegion region;
  const unsigned program = region.add_module("", 0x400000, 0x500000);
  const unsigned library = region.add_module("/lib/a.so", kModule, kModule + 0x10000, true);
  region->modules[5].state = live::kWriting;
  region->modules[library].build_id_size = 200;  // has 31
  region.add_site(
      kRealtime,
      {{kCaller, library}, {0x400010, program}, {0x99, live::kModules}, {0x98, 5}, {0x97, 6}}, 2);
  region.add_site(kMonotonic, {{kCaller, library}}).state = live::kWriting;
  region.count(0, kRealtime, 2);
  region.count(0, kMonotonic, 1);
  const Report r = read(region);
  ASSERT_EQ(r.sites.size(), 2U);
  const auto& frames = r.sites[0].frames;
  ASSERT_EQ(frames.size(), 5U);
  EXPECT_EQ(r.sites[0].exact_frames, 2U);
  EXPECT_EQ(frames[0].module, "/lib/a.so");
  EXPECT_EQ(frames[0].offset, 0x1234U);
  EXPECT_EQ(frames[0].build_id, "ab0c" + std::string(58, '0'));
  EXPECT_EQ(frames[1].module, "/usr/bin/daemon");
  EXPECT_EQ(frames[1].offset, 0x10U);
  EXPECT_EQ(frames[1].build_id, "ab0c");
  for (unsigned i = 2; i < 5; ++i) {
    EXPECT_EQ(frames[i].module, "");
    EXPECT_EQ(frames[i].offset, 0x99U - (i - 2)) << "without a module, the address itself";
  }
  EXPECT_TRUE(r.sites[1].frames.empty()) << "its record is not valid yet";
}

// 650 calls, of which 7 samples in 10 came one way, though 100 calls a sample would be 700.
TEST(ReadLive, SplitsExactCountsByStacksAndFindsTheirModulesByAddress) {
  LiveRegion region;
  const unsigned module = region.add_module("/lib/a.so", kModule, kModule + 0x1000);
  region.add_module("/lib/closed.so", kModule + 0x1000, kModule + 0x2000, true);
  region->header.stacks_every = 100;
  live::StackRecord& stack = region->stacks[3];
  stack.key = kMonotonic.raw();
  stack.samples = 7;
  stack.depth = 4;
  stack.pc[0] = kModule + 0x1000;  // a call that is the last thing in its module
  stack.pc[1] = kModule + 0x1001;
  stack.pc[2] = kModule;
  stack.pc[3] = 0;
  stack.state = live::kValid;
  live::StackRecord& other = region->stacks[4];
  other.key = kMonotonic.raw();
  other.samples = 3;
  other.depth = 1;
  other.pc[0] = kModule + 0x1000;
  other.state = live::kValid;
  live::StackRecord& of_no_site = region->stacks[5];
  of_no_site.key = kRealtime.raw();
  of_no_site.samples = 9;
  of_no_site.depth = 1;
  of_no_site.pc[0] = kModule + 0x1000;
  of_no_site.state = live::kValid;
  region.add_site(kMonotonic, {{kModule + 0x1000, module}}, 1);
  region.count(0, kMonotonic, 650);
  const Report r = read(region);
  ASSERT_EQ(r.stacks.size(), 2U);
  EXPECT_TRUE(r.stacks[0].sampled);
  EXPECT_EQ(r.stacks[0].calls, 455U);
  EXPECT_EQ(r.stacks[0].exact_frames, 1U);
  EXPECT_EQ(r.stacks[1].calls, 195U);
  EXPECT_EQ(r.stacks[0].clock, "monotonic");
  ASSERT_EQ(r.stacks[0].frames.size(), 4U);
  EXPECT_EQ(r.stacks[0].frames[0].module, "/lib/a.so");
  EXPECT_EQ(r.stacks[0].frames[0].offset, 0x1000U);
  for (unsigned i = 1; i < 4; ++i) EXPECT_EQ(r.stacks[0].frames[i].module, "") << i;
  EXPECT_EQ(r.sites.size(), 1U);
}

TEST(ReadLive, TellsWhatBecameOfTheMode) {
  LiveRegion region;
  region->clock.change_ticks = 77;
  region->clock.last_change = live::ModeChange::warp;
  EXPECT_EQ(read(region).mode, "percpu");
  EXPECT_EQ(read(region).mode_reason, "a CPU's counter was 77 ticks behind another's");
  region->clock.last_change = live::ModeChange::residual;
  EXPECT_EQ(read(region).mode, "percpu");
  region->clock.last_change = live::ModeChange::promoted;
  EXPECT_EQ(read(region).mode, "coherent");
  EXPECT_EQ(read(region).mode_reason,
            "the CPUs' counters agreed in 77 readings handed over, a second apart");
  region->clock.last_change = live::ModeChange::stopped;
  EXPECT_EQ(read(region).mode, "passthrough");
  region->clock.last_change = static_cast<live::ModeChange>(99);
  EXPECT_EQ(read(region).mode_reason, "because");
}

TEST(ReadLive, TellsErrorsAndWhatCouldBeKept) {
  LiveRegion region;
  for (int i = 0; i < 98; ++i) region->clock.accuracy.record(Nanos{100}, Nanos{10'000});
  region->clock.accuracy.record(Nanos{20'000}, Nanos{10'000});
  region->clock.clocks[CLOCK_MONOTONIC].unreachable_best = 25'000;
  region->clock.clocks[CLOCK_REALTIME].unreachable_best = 25'000;  // nobody asked for it
  region.count(0, kMonotonic, 1);
  const Report r = read(region);
  EXPECT_EQ(r.samples, 99U);
  EXPECT_EQ(r.max_ns, 20'000);
  EXPECT_EQ(r.over_tolerance, 1U);
  EXPECT_GE(r.p50_ns, 100);
  EXPECT_LE(r.p50_ns, 112);
  ASSERT_EQ(r.errors.size(), 2U);
  EXPECT_EQ(r.errors[0].up_to_ns, r.p50_ns);
  EXPECT_EQ(r.errors[0].samples, 98U);
  EXPECT_TRUE(has_note(r,
                       "tolerance 10us can't be kept for monotonic here: its calls got the real "
                       "clock; CLOCKSHIM_TOLERANCE=25us"));
  EXPECT_FALSE(has_note(r, "for realtime"));
}

TEST(ReadLive, CutsStringsAtTheirFieldsEndAndLeavesNothingForATerminalToObey) {
  LiveRegion region;
  LiveRegion::set(region->header.mode, std::string(16, 'm'));
  LiveRegion::set(region->header.program, "a\x1b[2J\nb\xc2\x9b");
  const Report r = read(region);
  EXPECT_EQ(r.mode, std::string(16, 'm'));
  EXPECT_EQ(r.program, "a?[2J?b?");
}

TEST(ReadLive, ReadsLongerRecordsAndAnUnalignedCopy) {
  LiveRegion region;
  region.count(0, kRealtime, 10);
  region.count(2, kMonotonic, 20);
  // Every second record of each thread's is then a stranger's rest of a longer record.
  auto& threads = region->header.sections[static_cast<unsigned>(live::SectionId::threads)];
  threads.size *= 2;
  threads.count /= 2;
  std::vector<std::byte> copy(region.bytes().size() + 1);
  std::memcpy(copy.data() + 1, region.bytes().data(), region.bytes().size());
  Report r;
  std::string problem;
  ASSERT_TRUE(read_live({copy.data() + 1, region.bytes().size()}, r, problem)) << problem;
  EXPECT_EQ(r.calls(), 30U);
}

TEST(ReadLive, ReadsAFileWithoutStacks) {
  LiveRegion region;
  region.count(0, kRealtime, 10);
  region->header.sections[static_cast<unsigned>(live::SectionId::stacks)] = {};
  Report r;
  std::string problem;
  EXPECT_TRUE(read_live(region.bytes().first(live::kSizeWithoutStacks), r, problem)) << problem;
  EXPECT_EQ(r.calls(), 10U);
}

TEST(ReadLive, RefusesWhatIsNoLiveFile) {
  LiveRegion region;
  EXPECT_EQ(refusal({}), "is no live file");
  const std::vector<std::byte> zeros(sizeof(live::Region));
  EXPECT_EQ(refusal(zeros), "is no live file");
  EXPECT_EQ(refusal(region.bytes().first(12)), "is no live file");
  for (const std::size_t size : {sizeof(live::Header) - 1, sizeof(live::Header),
                                 live::kSizeWithoutStacks, sizeof(live::Region) - 1})
    EXPECT_EQ(refusal(region.bytes().first(size)), "is cut short") << size;
  region->header.version = 2;
  EXPECT_EQ(refusal(region.bytes()), "is of layout version 2; this command reads 1");
}

TEST(ReadLive, RefusesSectionsThatCantBe) {
  struct Case {
    live::SectionId id;
    live::Section section;
    const char* reason;
  };
  const Case cases[] = {
      {live::SectionId::clock, {}, "missing"},
      {live::SectionId::shared, {4096, 0, 0, 0}, "missing"},
      {live::SectionId::sites, {4096, 0, 5, 0}, "can't be where"},
      {live::SectionId::sites, {0, sizeof(live::SiteRecord), 5, 0}, "can't be where"},
      {live::SectionId::sites, {4100, sizeof(live::SiteRecord), 5, 0}, "can't be where"},
      {live::SectionId::sites, {4096, sizeof(live::SiteRecord) + 4, 5, 0}, "can't be where"},
      {live::SectionId::threads, {4096 + 8, sizeof(live::ThreadTable), 5, 0}, "can't be where"},
      {live::SectionId::sites, {4096, sizeof(live::SiteRecord), 0xFFFFFFFF, 0}, "cut short"},
      {live::SectionId::stacks, {4096, 0xFFFFFFF8, 0xFFFFFFFF, 0}, "cut short"},
      {live::SectionId::stacks, {0xFFFFFFF8, 0xFFFFFFF8, 1, 0}, "cut short"},
  };
  for (const Case& c : cases) {
    LiveRegion region;
    region->header.sections[static_cast<unsigned>(c.id)] = c.section;
    EXPECT_NE(refusal(region.bytes()).find(c.reason), std::string::npos) << refusal(region.bytes());
  }
  LiveRegion region;
  region->header.header_size = 16;
  EXPECT_NE(refusal(region.bytes()).find("too small"), std::string::npos);
}

}  // namespace
}  // namespace clockshim
