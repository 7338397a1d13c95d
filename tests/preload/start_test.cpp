// Why: what is loaded at start is paid for by each process of a shell script, stays in its memory,
// and may define functions that the program finds in the place of its own.
#include <gtest/gtest.h>

#include <set>

#include "run_host.h"

namespace clockshim::test {
namespace {

// The libraries in the memory of a process that looks at itself.
std::set<std::string> libraries_of(const HostRun& run) {
  std::set<std::string> all;
  for (const auto& line : lines_of(run.out)) {
    const auto slash = line.find('/');
    if (slash != std::string::npos && line.find(".so") != std::string::npos)
      all.insert(line.substr(slash));
  }
  return all;
}

TEST(Start, BringsNoOtherLibrary) {
  HostOptions options{.arguments = {"/proc/self/maps"},
                      .environment = {{"CLOCKSHIM_PROFILE", "stacks"}}};
  const std::set<std::string> shimmed = libraries_of(run_host("/bin/cat", options));
  options.shim = false;
  std::set<std::string> expected = libraries_of(run_host("/bin/cat", options));
  ASSERT_FALSE(expected.empty());
  expected.insert(std::filesystem::canonical(shim_path()).string());
  EXPECT_EQ(shimmed, expected);
}

// A program that neither reads a clock nor can find a function that does, as most of those that a
// shell script starts. The C library loads a module into it that asks after all.
HostRun looks_up(const TempDir& folder, std::vector<std::string> arguments) {
  return run_host("looks_up", {.arguments = std::move(arguments),
                               .environment = {{"CLOCKSHIM_DIR", folder.path("live")},
                                               {"CLOCKSHIM_LOG", "info"},
                                               {"LD_LIBRARY_PATH", host_path("")}},
                               .report = true});
}

TEST(Start, MakesNothingForAProgramThatCanNotReadAClock) {
  const TempDir folder;
  const HostRun run = looks_up(folder, {"nobody"});
  EXPECT_EQ(run.ending(), "exit 0") << run.out << run.err;
  EXPECT_NE(run.err.find("mode passthrough (nothing that was loaded at start can read a clock)"),
            std::string::npos)
      << run.err;
  EXPECT_FALSE(std::filesystem::exists(folder.path("live")));
  EXPECT_TRUE(run.reports.empty());
}

TEST(Start, WhatTheCLibraryLoadsLaterIsCountedWithItsCallers) {
  const TempDir folder;
  const HostRun run = looks_up(folder, {});
  ASSERT_EQ(run.ending(), "exit 0") << run.out << run.err;
  EXPECT_EQ(run.out.find("went back"), std::string::npos);
  expect_exact_counts(run, 2);
  for (const auto& [pid, report] : run.reports) {
    EXPECT_EQ(calls_from(report, "_nss_asks_getpwnam_r"), 1000) << report.dump(1);
    EXPECT_EQ(report["clocks"]["monotonic"]["real"], 1000) << report.dump(1);
  }
}

TEST(Start, MakesALiveFileForOneThatCanFindAReader) {
  const TempDir folder;
  const HostRun run = run_host("plugins", {.arguments = {"two"},
                                           .environment = {{"CLOCKSHIM_DIR", folder.path("live")}},
                                           .report = true});
  EXPECT_EQ(run.ending(), "exit 0") << run.out << run.err;
  EXPECT_TRUE(std::filesystem::exists(folder.path("live")));
}

}  // namespace
}  // namespace clockshim::test
