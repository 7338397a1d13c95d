// The counters file as the command writes it, replaces it, believes it and hands it over.
#include "cli/machine/saved_counters.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "on_acpi_pm.h"

namespace clockshim::cli {
namespace {

using test::TempDir;

// Two CPUs, of which CPU 1's counter is ahead by so much; a handoff takes 100 ticks.
CounterEvidence evidence_of(std::int64_t ahead, std::int64_t handoff = 100) {
  CounterEvidence evidence;
  evidence.found = ahead == 0 ? CountersFound::agree : CountersFound::constant;
  evidence.cpus = {0, 1};
  evidence.bounds = {{0, 1, handoff - ahead, handoff + ahead}};
  const CounterOffsets chosen = choose_offsets(2, evidence.bounds);
  evidence.offsets = chosen.offsets;
  evidence.margin = chosen.margin;
  evidence.within = spread_of(2, evidence.bounds, evidence.offsets);
  return evidence;
}

CountersFile file_of(const CounterEvidence& evidence, Nanos after = Nanos{}) {
  CountersFile file{};
  std::string why_not;
  EXPECT_TRUE(make_file(evidence, "a test", file, why_not)) << why_not;
  file.compared += after.raw();
  file.confirmed += after.raw();
  return file;
}

TEST(SavedCounters, FileHasWhatWasFound) {
  const TempDir folder;
  const std::string path = folder.path("clockshim/counters");
  ASSERT_EQ(save_counters(path, file_of(evidence_of(-5000))), 0);
  const SavedCounters saved = read_saved(path);
  EXPECT_TRUE(saved.usable()) << saved.problem;
  EXPECT_EQ(saved.file.verdict, CountersVerdict::constant);
  EXPECT_EQ(saved.file.cpus, 2U);
  EXPECT_TRUE(saved.file.has(0) && saved.file.has(1) && !saved.file.has(2));
  EXPECT_EQ(saved.file.offsets[0], 5000);
  EXPECT_EQ(saved.file.offsets[1], 0);
  EXPECT_EQ(saved.file.within, 100U);
  EXPECT_EQ(saved.file.margin, 100U);
  EXPECT_EQ(worst_offset(saved.file), 5000);
  EXPECT_STREQ(saved.file.writer, "a test");
  EXPECT_TRUE(text_of(saved.file)
                  .starts_with("2 CPUs' counters differ by constants, up to 5000 ticks; margin 100 "
                               "ticks; confirmed "))
      << text_of(saved.file);
}

TEST(SavedCounters, ModesDoNotDependOnTheUmask) {
  const TempDir folder;
  const std::string path = folder.path("clockshim/counters");
  for (const mode_t mask : {0000U, 0077U, 0777U}) {
    std::filesystem::remove_all(folder.path("clockshim"));
    const mode_t before = umask(mask);
    const int error = save_counters(path, file_of(evidence_of(0)));
    umask(before);
    EXPECT_EQ(error, 0) << std::strerror(error);
    struct stat info {};
    ASSERT_EQ(stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777, 0644U);
    ASSERT_EQ(stat(folder.path("clockshim").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777, geteuid() == 0 ? 0755U : 0700U);
    EXPECT_TRUE(read_saved(path).usable());
  }
}

TEST(SavedCounters, FolderThatOthersMayWriteToIsRefused) {
  const TempDir folder;
  const std::string path = folder.path("clockshim/counters");
  std::filesystem::create_directory(folder.path("clockshim"));
  ASSERT_EQ(chmod(folder.path("clockshim").c_str(), 0777), 0);
  EXPECT_EQ(save_counters(path, file_of(evidence_of(0))), EPERM);
  EXPECT_EQ(read_saved(path).path, "");
  std::filesystem::remove(folder.path("clockshim"));
  std::filesystem::create_directory_symlink(folder.path("."), folder.path("clockshim"));
  EXPECT_NE(save_counters(path, file_of(evidence_of(0))), 0) << "a link may lead anywhere";
}

// Nothing is left of it, and what was there stays.
TEST(SavedCounters, FileThatCannotBeReplacedStays) {
  const TempDir folder;
  const std::string path = folder.path("clockshim/counters");
  std::filesystem::create_directories(path + "/in the way");
  EXPECT_NE(save_counters(path, file_of(evidence_of(0))), 0);
  std::size_t entries = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path("clockshim")))
    entries += entry.exists() ? 1 : 0;
  EXPECT_EQ(entries, 1U);
}

TEST(SavedCounters, SystemsFileComesFirst) {
  const TempDir folder;
  const CounterPlaces places{folder.path("system/counters"), folder.path("own/counters")};
  EXPECT_EQ(find_saved(places).path, "");
  ASSERT_EQ(save_counters(places.own, file_of(evidence_of(0))), 0);
  EXPECT_EQ(find_saved(places).path, places.own);
  CountersFile stale = file_of(evidence_of(0));
  ++stale.possible;
  ASSERT_EQ(save_counters(places.system, stale), 0);
  EXPECT_EQ(find_saved(places).path, places.own) << "it is of other CPUs";
  std::filesystem::remove(places.own);
  EXPECT_EQ(find_saved(places).problem, "it is of other CPUs");
  ASSERT_EQ(save_counters(places.own, file_of(evidence_of(0))), 0);
  ASSERT_EQ(save_counters(places.system, file_of(evidence_of(0))), 0);
  EXPECT_EQ(find_saved(places).path, places.system);
}

TEST(SavedCounters, UnprovedIsNoFile) {
  CountersFile file{};
  std::string why_not;
  CounterEvidence evidence = evidence_of(0);
  evidence.found = CountersFound::unknown;
  evidence.text = "busy";
  EXPECT_FALSE(make_file(evidence, "a test", file, why_not));
  EXPECT_EQ(why_not, "busy");
  evidence.found = CountersFound::agree;
  evidence.cpus = {0, 256};
  EXPECT_FALSE(make_file(evidence, "a test", file, why_not));
  EXPECT_EQ(why_not, "the file has room for 256 CPUs");
}

constexpr Nanos kLater{std::int64_t{3600} * kNanosPerSecond};

TEST(ConfirmCounters, OffsetsThatStillFitStay) {
  const CountersFile saved = file_of(evidence_of(5000));
  const CounterEvidence now = evidence_of(5030, 90);
  EXPECT_FALSE(is_refuted(saved, now));
  const CountersFile file = confirmed(saved, file_of(now, kLater), now);
  EXPECT_EQ(file.verdict, CountersVerdict::constant);
  EXPECT_EQ(file.offsets[1], 5000);
  EXPECT_EQ(file.compared, saved.compared) << "they were right all the time";
  EXPECT_GE(file.confirmed - file.compared, kLater.raw());
  EXPECT_EQ(file.margin, 60U) << "the least of both";
  EXPECT_EQ(file.within, 90U);
}

// Both comparisons leave room for 5,080: nothing has moved, the first one was not exact.
TEST(ConfirmCounters, OffsetsThatHardlyMissAreReplaced) {
  const CountersFile saved = file_of(evidence_of(5000));
  const CounterEvidence now = evidence_of(5120);
  EXPECT_TRUE(is_refuted(saved, now));
  const CountersFile file = confirmed(saved, file_of(now, kLater), now);
  EXPECT_EQ(file.verdict, CountersVerdict::constant);
  EXPECT_EQ(file.offsets[1], 5060) << "the middle of 5,020 to 5,100";
  EXPECT_EQ(file.margin, 40U);
  EXPECT_GT(file.compared, saved.compared);
}

TEST(ConfirmCounters, OffsetsThatMovedAreNoConstants) {
  const CountersFile saved = file_of(evidence_of(5000));
  const CounterEvidence now = evidence_of(5300);  // 0.03 ppb, in an hour
  const CountersFile file = confirmed(saved, file_of(now, kLater), now);
  EXPECT_EQ(file.verdict, CountersVerdict::differ);
  EXPECT_EQ(file.offsets[1], 0) << "a reader relies on it";
  // And they do not become constants again because they look so for a second.
  const CounterEvidence calm = evidence_of(0);
  const CountersFile next = confirmed(file, file_of(calm, kLater), calm);
  EXPECT_EQ(next.verdict, CountersVerdict::differ);
  // Agreement that turns out to be none.
  const CountersFile agreed = file_of(evidence_of(0));
  EXPECT_EQ(confirmed(agreed, file_of(now, kLater), now).verdict, CountersVerdict::differ);
}

TEST(ConfirmCounters, OtherCpusAreAnotherFile) {
  const CountersFile saved = file_of(evidence_of(5000));
  CounterEvidence now = evidence_of(7000);
  now.cpus = {0, 2};
  const CountersFile file = confirmed(saved, file_of(now, kLater), now);
  EXPECT_EQ(file.verdict, CountersVerdict::constant);
  EXPECT_EQ(file.offsets[2], 7000);
  EXPECT_FALSE(file.has(1));
}

TEST(ConfirmCounters, DriftThatIsSeenNowEndsIt) {
  const CountersFile saved = file_of(evidence_of(5000));
  CounterEvidence now = evidence_of(5000);
  now.found = CountersFound::drifts;
  EXPECT_EQ(confirmed(saved, file_of(now, kLater), now).verdict, CountersVerdict::differ);
}

using Json = nlohmann::json;

TEST(DoctorSaves, WhatTheNextOneShowsAndRunReads) {
  test::Ending saved;
  test::Ending again;
  test::Ending shown;
  test::Ending run;
  const bool done = test::there([&] {
    for (int tries = 0; tries < 5 && saved.exit_code != 0; ++tries)
      saved = test::run_clockshim({"doctor", "--save"});
    again = test::run_clockshim({"doctor", "--save"});
    shown = test::run_clockshim({"doctor", "--quick", "--json"});
    run = test::run_clockshim({"run", "--log", "info", "--report", "none", "--", "/usr/bin/env"});
  });
  if (!done) GTEST_SKIP() << "no mount namespace of our own here";
  if (saved.exit_code == 1) GTEST_SKIP() << "nothing is proved: " << saved.out;
  EXPECT_EQ(saved.exit_code, 0) << saved.err;
  EXPECT_NE(saved.out.find("\n/run/clockshim/counters: "), std::string::npos) << saved.out;
  EXPECT_NE(again.exit_code, 2) << again.err;
  const Json json = Json::parse(shown.out, nullptr, false);
  EXPECT_EQ(json["saved_counters"]["path"], "/run/clockshim/counters") << shown.out;
  EXPECT_TRUE(json["saved_counters"]["problem"].is_null()) << shown.out;
  EXPECT_NE(run.err.find("so /run/clockshim/counters was read: "), std::string::npos) << run.err;
  EXPECT_EQ(run.err.find("looked myself"), std::string::npos) << run.err;
  if (json["saved_counters"]["verdict"] == "agree") {
    const std::string within = std::to_string(json["saved_counters"]["within_ticks"].get<int>());
    EXPECT_NE(run.out.find("CLOCKSHIM_COUNTERS=measured:" + within + "\n"), std::string::npos)
        << run.out;
  }
}

TEST(DoctorSaves, NothingWhereTheKernelVouchesForTheCounters) {
  const test::Ending ending = test::run_clockshim({"doctor", "--save"});
  if (ending.out.find("the clocksource is tsc") == std::string::npos)
    GTEST_SKIP() << "another clocksource";
  EXPECT_EQ(ending.exit_code, 0);
  EXPECT_EQ(ending.out,
            "the clocksource is tsc, so the kernel vouches for the counters: nothing to save\n");
}

TEST(DoctorSaves, IsAnErrorWhereItCannot) {
  test::Ending ending;
  const bool done = test::there([&] {
    mount("none", "/run", "tmpfs", MS_REMOUNT | MS_RDONLY, nullptr);
    for (int tries = 0; tries < 5 && ending.exit_code != 2; ++tries)
      ending = test::run_clockshim({"doctor", "--save"});
  });
  if (!done) GTEST_SKIP() << "no mount namespace of our own here";
  if (ending.exit_code == 1) GTEST_SKIP() << "nothing is proved: " << ending.out;
  EXPECT_EQ(ending.exit_code, 2) << ending.out;
  EXPECT_EQ(ending.err, "clockshim: /run/clockshim/counters: Read-only file system\n");
}

TEST(RunSaves, WhatItFindsWhereNothingIsSaved) {
  test::Ending first;
  test::Ending second;
  const std::vector<std::string> run{"run", "--log", "info", "--report", "none", "--", "true"};
  const bool done = test::there([&] {
    for (int tries = 0; tries < 5 && second.err.find(" was read: ") == std::string::npos; ++tries) {
      first = test::run_clockshim(run);
      second = test::run_clockshim(run);
    }
  });
  if (!done) GTEST_SKIP() << "no mount namespace of our own here";
  if (first.err.find("busy") != std::string::npos) GTEST_SKIP() << first.err;
  EXPECT_NE(first.err.find("so looked myself: "), std::string::npos) << first.err;
  EXPECT_NE(second.err.find("so /run/clockshim/counters was read: "), std::string::npos)
      << second.err;
}

}  // namespace
}  // namespace clockshim::cli
