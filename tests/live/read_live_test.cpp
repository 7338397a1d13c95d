// The reader of live files: sums, names of modules and texts as the library's own report has them.
#include "report/read_live.h"

#include <gtest/gtest.h>

#include "live_region.h"

namespace clockshim {
namespace {

constexpr std::uintptr_t kModule = 0x7f0000000000;
constexpr std::uintptr_t kCaller = kModule + 0x1234;
const SiteKey kRealtime(kCaller, CLOCK_REALTIME, Function::clock_gettime);
const SiteKey kMonotonic(kCaller, CLOCK_MONOTONIC, Function::clock_gettime);

Report read(const LiveRegion& region, Nanos now = Nanos{}) {
  Report report;
  std::string problem;
  EXPECT_TRUE(read_live(region.bytes(), report, problem, now)) << problem;
  return report;
}

std::string refusal(std::span<const std::byte> bytes) {
  Report report;
  std::string problem;
  EXPECT_FALSE(read_live(bytes, report, problem));
  return problem;
}

const ReportClock& clock_of(const Report& report, const std::string& name) {
  for (const auto& clock : report.clocks) {
    if (clock.name == name) return clock;
  }
  static const ReportClock none;
  ADD_FAILURE() << "no clock " << name;
  return none;
}

bool has_note(const Report& report, const std::string& part) {
  for (const auto& note : report.notes) {
    if (note.find(part) != std::string::npos) return true;
  }
  return false;
}

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
  EXPECT_EQ(r.notes, (std::vector<std::string>{"something is so", "forked from process 41; counts are this process's own"}));
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
      if (share.thread == thread) out += (out.empty() ? "" : ", ") + site.clock + " " + std::to_string(share.calls);
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

TEST(ReadLive, SaysHowManyStacksFoundNoRoom) {
  LiveRegion region;
  EXPECT_TRUE(read(region).notes.empty());
  region->shared.dropped_samples = 6;
  ASSERT_EQ(read(region).notes.size(), 1U);
  EXPECT_EQ(read(region).notes[0], "6 sampled stacks found no room; the callers' counts are whole");
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
  region.add_site(kRealtime, {{kCaller, library}, {0x400010, program}, {0x99, live::kModules}, {0x98, 5}, {0x97, 6}}, 2);
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

TEST(ReadLive, ScalesStacksAndFindsTheirModulesByAddress) {
  LiveRegion region;
  region.add_module("/lib/a.so", kModule, kModule + 0x1000);
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
  const Report r = read(region);
  ASSERT_EQ(r.stacks.size(), 1U);
  EXPECT_TRUE(r.stacks[0].sampled);
  EXPECT_EQ(r.stacks[0].calls, 700U);
  EXPECT_EQ(r.stacks[0].clock, "monotonic");
  ASSERT_EQ(r.stacks[0].frames.size(), 4U);
  EXPECT_EQ(r.stacks[0].frames[0].module, "/lib/a.so");
  EXPECT_EQ(r.stacks[0].frames[0].offset, 0x1000U);
  for (unsigned i = 1; i < 4; ++i) EXPECT_EQ(r.stacks[0].frames[i].module, "") << i;
  EXPECT_TRUE(r.sites.empty());
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
  EXPECT_EQ(read(region).mode_reason, "the CPUs' counters agreed in 77 readings handed over, a second apart");
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
  EXPECT_TRUE(has_note(r, "tolerance 10us can't be kept for monotonic here: its calls got the real clock; CLOCKSHIM_TOLERANCE=25us"));
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
  auto& threads = region->header.sections[static_cast<unsigned>(live::Part::threads)];
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
  region->header.sections[static_cast<unsigned>(live::Part::stacks)] = {};
  Report r;
  std::string problem;
  EXPECT_TRUE(read_live(region.bytes().first(live::kSizeWithoutStacks), r, problem)) << problem;
  EXPECT_EQ(r.calls(), 10U);
}

TEST(ReadLive, NamesPythonFunctions) {
  LiveRegion region;
  const unsigned module = region.add_module("/lib/libpython.so", kModule, kModule + 0x10000);
  const unsigned handler = region.add_name(live::NameKind::python, "Handler.get", "/srv/app.py", 12);
  const unsigned main = region.add_name(live::NameKind::python, "<module>", "/srv/app.py", 1);
  const SiteKey key = kRealtime.behind(1);
  region.add_site(key, {{kCaller, module}, {handler, live::kNamed}, {main, live::kNamed}, {1'000'000, live::kNamed}}, 2);
  region.count(0, key, 10);
  const Report r = read(region);
  ASSERT_EQ(r.sites.size(), 1U);
  const ReportSite& site = r.sites[0];
  ASSERT_EQ(site.frames.size(), 4U);
  EXPECT_EQ(site.exact_frames, 2U);
  EXPECT_EQ(site.frames[1].symbol, "Handler.get");
  EXPECT_EQ(site.frames[1].file, "/srv/app.py");
  EXPECT_EQ(site.frames[1].line, 12U);
  EXPECT_EQ(site.frames[1].module, "");
  EXPECT_EQ(site.frames[1].offset, 0U);
  EXPECT_EQ(site.frames[2].symbol, "<module>");
  EXPECT_EQ(site.frames[3].symbol, "") << "a number that no name has";
}

TEST(ReadLive, SaysWhosePythonFunctionsAreNotNamed) {
  LiveRegion region;
  region.add_name(live::NameKind::unread_version, "3.99.0", "/lib/libpython3.99.so", 0);
  region.add_name(live::NameKind::unread_version, "", "", 0);
  region.add_name(live::NameKind::unread_build, "3.13.1", "/opt/python", 0);
  region.add_name(live::NameKind::unread_second, "3.12.0", "/lib/libpython3.12.so", 0);
  region.add_name(static_cast<live::NameKind>(99), "x", "y", 0);
  const Report r = read(region);
  EXPECT_EQ(r.notes.size(), 4U);
  EXPECT_TRUE(has_note(r, "the frames of Python 3.99.0 (/lib/libpython3.99.so) are not known"));
  EXPECT_TRUE(has_note(r, "the frames of Python before 3.11 (/usr/bin/daemon) are not known"));
  EXPECT_TRUE(has_note(r, "Python 3.13.1 (/opt/python) is not built as usual"));
  EXPECT_TRUE(has_note(r, "Python 3.12.0 (/lib/libpython3.12.so) is the second Python"));
}

TEST(ReadLive, NamesPythonFunctionsInStacks) {
  LiveRegion region;
  region.add_module("/lib/libpython.so", kModule, kModule + 0x10000);
  const unsigned handler = region.add_name(live::NameKind::python, "Handler.get", "/srv/app.py", 12);
  region->header.stacks_every = 3;
  live::StackRecord& stack = region->stacks[0];
  stack.key = kRealtime.raw();
  stack.samples = 2;
  stack.depth = 3;
  stack.pc[0] = kCaller;
  stack.pc[1] = live::kNamedFrame | handler;
  stack.pc[2] = ~0ULL;
  stack.state = live::kValid;
  const Report r = read(region);
  ASSERT_EQ(r.stacks.size(), 1U);
  EXPECT_EQ(r.stacks[0].calls, 6U);
  EXPECT_EQ(r.stacks[0].frames[0].module, "/lib/libpython.so");
  EXPECT_EQ(r.stacks[0].frames[1].symbol, "Handler.get");
  EXPECT_EQ(r.stacks[0].frames[2].symbol, "") << "a number that no name has";
}

// As the library of an earlier version wrote it.
TEST(ReadLive, ReadsAFileWithoutNames) {
  LiveRegion region;
  region.add_site(kRealtime, {{3, live::kNamed}});
  region.count(0, kRealtime, 10);
  region->header.sections[static_cast<unsigned>(live::Part::names)] = {};
  const Report r = read(region);
  EXPECT_EQ(r.calls(), 10U);
  EXPECT_EQ(r.sites.at(0).frames.at(0).symbol, "");
}

TEST(ReadLive, RefusesWhatIsNoLiveFile) {
  LiveRegion region;
  EXPECT_EQ(refusal({}), "is no live file");
  const std::vector<std::byte> zeros(sizeof(live::Region));
  EXPECT_EQ(refusal(zeros), "is no live file");
  EXPECT_EQ(refusal(region.bytes().first(12)), "is no live file");
  for (const std::size_t size : {sizeof(live::Header) - 1, sizeof(live::Header), live::kSizeWithoutStacks, sizeof(live::Region) - 1})
    EXPECT_EQ(refusal(region.bytes().first(size)), "is cut short") << size;
  region->header.version = 2;
  EXPECT_EQ(refusal(region.bytes()), "is of layout version 2; this command reads 1");
}

TEST(ReadLive, RefusesSectionsThatCantBe) {
  struct Case {
    live::Part part;
    live::Section section;
    const char* reason;
  };
  const Case cases[] = {
      {live::Part::clock, {}, "missing"},
      {live::Part::shared, {4096, 0, 0, 0}, "missing"},
      {live::Part::sites, {4096, 0, 5, 0}, "can't be where"},
      {live::Part::sites, {0, sizeof(live::SiteRecord), 5, 0}, "can't be where"},
      {live::Part::sites, {4100, sizeof(live::SiteRecord), 5, 0}, "can't be where"},
      {live::Part::sites, {4096, sizeof(live::SiteRecord) + 4, 5, 0}, "can't be where"},
      {live::Part::threads, {4096 + 8, sizeof(live::ThreadTable), 5, 0}, "can't be where"},
      {live::Part::sites, {4096, sizeof(live::SiteRecord), 0xFFFFFFFF, 0}, "cut short"},
      {live::Part::stacks, {4096, 0xFFFFFFF8, 0xFFFFFFFF, 0}, "cut short"},
      {live::Part::stacks, {0xFFFFFFF8, 0xFFFFFFF8, 1, 0}, "cut short"},
  };
  for (const Case& c : cases) {
    LiveRegion region;
    region->header.sections[static_cast<unsigned>(c.part)] = c.section;
    EXPECT_NE(refusal(region.bytes()).find(c.reason), std::string::npos) << refusal(region.bytes());
  }
  LiveRegion region;
  region->header.header_size = 16;
  EXPECT_NE(refusal(region.bytes()).find("too small"), std::string::npos);
}

}  // namespace
}  // namespace clockshim
