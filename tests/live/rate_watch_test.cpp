// Rates over time are what the counts grow by, whatever becomes of the process's program and of its
// file. This process is the one that is watched: it has files mapped that are made by hand, and its
// looks are at times of its own choosing.
#include "cli/report/rate_watch.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "own_file.h"

namespace clockshim::cli {
namespace {

using test::kBusy;
using test::kProgram;
using test::OwnFile;
using test::TempDir;
using Numbers = std::vector<std::uint64_t>;

RateWatch watch_in(const TempDir& dir) {
  std::string problem;
  auto watch = RateWatch::of(getpid(), {dir.path().string()}, problem);
  EXPECT_TRUE(watch) << problem;
  return std::move(*watch);
}

void look(RateWatch& watch, double seconds) {
  watch.look(Nanos{static_cast<std::int64_t>(seconds * 1e9)}, Nanos{1'700'000'000'000'000'000});
}

Report told(const RateWatch& watch) {
  Symbolizer symbolizer;
  return watch.report(symbolizer, 1);
}

Numbers of_clock(const Report& report, const std::string& clock) {
  for (const auto& series : report.rates.clocks) {
    if (series.clock == clock) return series.calls;
  }
  return {};
}

TEST(RateWatch, TellsWhatIsCountedBetweenTwoLooks) {
  const TempDir dir;
  OwnFile file(dir, "1.live", 1);
  file.count(1000, 50);
  RateWatch watch = watch_in(dir);
  look(watch, 5);
  file.count(1010, 50);
  look(watch, 6);
  file.count(1010, 51);
  look(watch, 6.5);
  file.count(1310, 52);
  look(watch, 8);
  const Report report = told(watch);
  EXPECT_EQ(report.rates.interval, 1);
  EXPECT_EQ(report.rates.started_at, 1.7e9);
  EXPECT_EQ(report.rates.times, (std::vector<double>{1, 1.5, 3}));
  ASSERT_EQ(report.rates.clocks.size(), 2U);
  EXPECT_EQ(report.rates.clocks[0].clock, "monotonic") << "most calls first";
  EXPECT_EQ(report.rates.clocks[0].calls, (Numbers{10, 0, 300}));
  EXPECT_EQ(report.rates.clocks[1].calls, (Numbers{0, 1, 1}));
  ASSERT_EQ(report.rates.callers.size(), 2U);
  EXPECT_EQ(report.rates.callers[0].caller, "program1+0x10");
  EXPECT_EQ(report.rates.callers[0].module, "program1");
  EXPECT_EQ(report.rates.callers[0].function, "clock_gettime");
  EXPECT_EQ(report.rates.callers[0].calls, (Numbers{10, 0, 300}));
  EXPECT_EQ(report.calls(), 1362U)
      << "the report is that of the last look, since the process's start";
  EXPECT_FALSE(watch.over());
}

TEST(RateWatch, WithoutASecondLookThereAreNoRates) {
  const TempDir dir;
  OwnFile file(dir, "1.live", 1);
  RateWatch watch = watch_in(dir);
  look(watch, 5);
  EXPECT_TRUE(told(watch).rates.times.empty());
}

// Its counts start again from nothing, in a new file. What the old one had last, and all that the
// new one has, was counted in between.
TEST(RateWatch, GoesOnBehindExecAndIsNeverNegative) {
  const TempDir dir;
  OwnFile first(dir, "1.live", 1);
  first.count(1000, 50);
  RateWatch watch = watch_in(dir);
  look(watch, 1);
  first.count(1007, 50);
  first.unmap();
  OwnFile second(dir, "1.1.live", 2);
  second.count(3, 0);
  look(watch, 2);
  second.count(5, 1);
  look(watch, 3);
  const Report report = told(watch);
  EXPECT_EQ(of_clock(report, "monotonic"), (Numbers{10, 2}));
  EXPECT_EQ(of_clock(report, "realtime"), (Numbers{0, 1}));
  ASSERT_EQ(report.rates.callers.size(), 3U) << "each program's callers";
  EXPECT_EQ(report.rates.callers[0].caller, "program1+0x10");
  EXPECT_EQ(report.rates.callers[0].calls, (Numbers{7, 0}));
  EXPECT_EQ(report.rates.callers[1].caller, "program2+0x10");
  EXPECT_EQ(report.rates.callers[1].calls, (Numbers{3, 2}));
  EXPECT_EQ(report.calls(), 6U) << "the report is the new program's";
}

TEST(RateWatch, TellsProgramsThatCameAndWentBetweenTwoLooks) {
  const TempDir dir;
  OwnFile before(dir, "1.live", 1);  // over when the watch begins
  before.count(1'000'000, 0);
  before.unmap();
  OwnFile first(dir, "1.1.live", 2);
  RateWatch watch = watch_in(dir);
  look(watch, 1);
  first.unmap();
  for (const auto& [ending, started_at] : {std::pair{"1.3.live", 4}, std::pair{"1.2.live", 3}}) {
    OwnFile passing(dir, ending, started_at);
    passing.count(20, 0);
    passing.unmap();
  }
  OwnFile other(dir, "2.live", 9, 4242);  // of a process before, that had our number
  other.count(500, 0);
  other.unmap();
  OwnFile last(dir, "1.4.live", 5);
  last.count(1, 0);
  look(watch, 2);
  last.count(4, 0);
  look(watch, 3);
  const Report report = told(watch);
  EXPECT_EQ(of_clock(report, "monotonic"), (Numbers{41, 3}));
  EXPECT_EQ(report.calls(), 4U) << "the last one's report";
}

// Between exec and the next program's first line there is no file that the process has.
TEST(RateWatch, WaitsForTheNextProgram) {
  const TempDir dir;
  OwnFile first(dir, "1.live", 1);
  first.unmap();
  RateWatch watch = watch_in(dir);
  look(watch, 1);
  look(watch, 2);
  EXPECT_FALSE(watch.over());
  OwnFile second(dir, "1.1.live", 2);
  second.count(9, 0);
  look(watch, 3);
  EXPECT_EQ(of_clock(told(watch), "monotonic"), (Numbers{0, 9}));
}

// As the library does when its report was told.
TEST(RateWatch, ReadsAFileThatWasRemovedToItsEnd) {
  const TempDir dir;
  OwnFile file(dir, "1.live", 1);
  RateWatch watch = watch_in(dir);
  look(watch, 1);
  file.count(70, 0);
  std::filesystem::remove(file.path());
  look(watch, 2);
  EXPECT_EQ(of_clock(told(watch), "monotonic"), Numbers{70});
  EXPECT_EQ(told(watch).calls(), 70U);
}

// Tables are read one after the other: a sum may be less than it was.
TEST(RateWatch, WhatIsLessForAMomentIsToldWhenItIsMoreAgain) {
  const TempDir dir;
  OwnFile file(dir, "1.live", 1);
  file.count(100, 0);
  RateWatch watch = watch_in(dir);
  look(watch, 1);
  file.count(90, 0);
  look(watch, 2);
  file.count(95, 0);
  look(watch, 3);
  file.count(120, 0);
  look(watch, 4);
  EXPECT_EQ(of_clock(told(watch), "monotonic"), (Numbers{0, 0, 20}));
  EXPECT_EQ(told(watch).rates.callers[0].calls, (Numbers{0, 0, 20}));
}

// A module that was closed: its sites get other keys, with the calls that they have. No call was
// made.
TEST(RateWatch, ASiteThatGetsAnotherKeyCountsNoCallTwice) {
  const TempDir dir;
  OwnFile file(dir, "1.live", 1);
  RateWatch watch = watch_in(dir);
  file.count(100, 0);
  look(watch, 1);
  file.count(130, 0);
  look(watch, 2);
  (*file).threads[0].entries[0].key = kBusy.behind(1).raw();
  (*file).sites[0].key = kBusy.behind(1).raw();
  file.count(135, 0);
  look(watch, 3);
  const Report report = told(watch);
  ASSERT_EQ(report.rates.callers.size(), 1U);
  EXPECT_EQ(report.rates.callers[0].calls, (Numbers{30, 5}));
}

TEST(RateWatch, HasTheBusiestCallersOnly) {
  const TempDir dir;
  OwnFile file(dir, "1.live", 1);
  for (std::uint64_t i = 0; i < 60; ++i)
    (*file).threads[0].entries[i] = {
        SiteKey(kProgram + 0x100 + i, CLOCK_REALTIME, Function::clock_gettime).raw(), 0};
  RateWatch watch = watch_in(dir);
  look(watch, 1);
  for (std::uint64_t i = 0; i < 60; ++i) (*file).threads[0].entries[i].count = i;
  // Without a site record they have one name, and are told as one; so give some of them frames.
  for (unsigned i = 0; i < 40; ++i) {
    live::SiteRecord& site = (*file).sites[10 + i];
    site.key = (*file).threads[0].entries[20 + i].key;
    site.frames = site.exact_frames = 1;
    site.pc[0] = kProgram + 0x500 + i;
    site.state = live::kValid;
  }
  look(watch, 2);
  const Report report = told(watch);
  ASSERT_EQ(report.rates.callers.size(), 20U);
  EXPECT_EQ(report.rates.callers[0].caller, "unknown");
  EXPECT_EQ(report.rates.callers[0].calls, Numbers{19 * 20 / 2});
  EXPECT_EQ(report.rates.callers[1].calls, Numbers{59});
  EXPECT_EQ(report.rates.callers[19].calls, Numbers{41});
  EXPECT_EQ(report.rates.clocks[0].calls, Numbers{59 * 60 / 2}) << "and all of them by clock";
}

std::string refusal(long pid, const TempDir& dir) {
  std::string problem;
  EXPECT_FALSE(RateWatch::of(pid, {dir.path().string()}, problem));
  return problem;
}

TEST(RateWatch, WantsAProcessThatIsServedNow) {
  const TempDir dir;
  EXPECT_EQ(refusal(getpid(), dir).find("live_tests runs without clockshim: "), 0U);
  {
    OwnFile before(dir, "2.live", 9, 4242);
    before.unmap();
    EXPECT_EQ(refusal(getpid(), dir), "it does not run any more")
        << "of a process before, that had our number";
  }
  const std::string dead = test::dead_file(dir);
  EXPECT_EQ(refusal(std::stol(dead.substr(dead.rfind('/') + 1)), dir), "it does not run any more");
}

}  // namespace
}  // namespace clockshim::cli
