// Why: an operator wants to know which of thirty threads asks. Each table says whose it is, by the
// kernel's number, without a system call: in threads that the C library made, in forked children,
// in raw clones; and which thread counted what is exact.
#include <gtest/gtest.h>
#include <unistd.h>

#include <set>
#include <tuple>

#include "cli/livefiles/live_dir.h"
#include "run_host.h"

namespace clockshim::test {
namespace {

namespace fs = std::filesystem;

struct Asked {
  long pid;
  long tid;
  long calls;
  auto operator<=>(const Asked&) const = default;
};
using All = std::set<Asked>;

struct Told {
  All threads;      // that have a table of their own
  long shared = 0;  // calls that were counted by locked additions
  std::vector<Report> reports;
};

Told told_in(const fs::path& folder) {
  Told told;
  for (const auto& entry : fs::directory_iterator(folder)) {
    std::string problem;
    const auto file = cli::LiveFile::open(entry.path(), problem);
    EXPECT_TRUE(file) << entry.path() << problem;
    if (!file) continue;
    Report report = file->report();
    std::uint64_t sum = 0;
    for (const ReportThread& thread : report.threads) {
      sum += thread.calls;
      if (thread.shared) told.shared += static_cast<long>(thread.calls);
      if (!thread.shared)
        told.threads.insert(
            {report.pid, static_cast<long>(thread.tid), static_cast<long>(thread.calls)});
    }
    EXPECT_EQ(sum, report.calls()) << "each call once";
    told.reports.push_back(std::move(report));
  }
  return told;
}

All said_by(const HostRun& run) {
  All said;
  for (const std::string& line : lines_of(run.out)) {
    Asked one{};
    if (std::sscanf(line.c_str(), "asked %ld %ld %ld", &one.pid, &one.tid, &one.calls) == 3)
      said.insert(one);
  }
  return said;
}

class Apart : public testing::Test {
 protected:
  HostRun run(const std::vector<std::string>& arguments, const std::string& depth = "0") {
    HostRun run = run_host(
        "apart", {.arguments = arguments,
                  .environment = {{"CLOCKSHIM_DIR", folder_}, {"CLOCKSHIM_DEPTH", depth}}});
    EXPECT_EQ(run.ending(), "exit 0") << run.out << run.err;
    return run;
  }
  TempDir home_;
  std::string folder_ = home_.path() / "live";
};

TEST_F(Apart, EachThreadHasItsNumberAndItsCalls) {
  const HostRun host = run({"stay", "30"});
  const Told told = told_in(folder_);
  EXPECT_EQ(told.threads.size(), 31U);
  EXPECT_EQ(told.threads, said_by(host));
  for (const ReportThread& thread : told.reports.at(0).threads) {
    EXPECT_EQ(thread.threads, 1U);
    EXPECT_FALSE(thread.ended);
  }
}

TEST_F(Apart, ThreadsThatTakeTurnsAreCounted) {
  const HostRun host = run({"turns", "40"});
  const Told told = told_in(folder_);
  const auto& threads = told.reports.at(0).threads;
  ASSERT_EQ(threads.size(), 2U);
  EXPECT_EQ(threads[0].calls, 1000U);
  EXPECT_EQ(threads[0].tid, static_cast<std::uint32_t>(told.reports[0].pid)) << "the first thread";
  EXPECT_EQ(threads[1].calls, 400U);
  EXPECT_EQ(threads[1].threads, 40U);
  EXPECT_TRUE(threads[1].ended);
  const All said = said_by(host);
  EXPECT_TRUE(said.contains({told.reports[0].pid, static_cast<long>(threads[1].tid), 10}))
      << "one of them";
}

// By fork and by raw clone, from a thread that has asked, one that has not, and the first. A raw
// clone's calls are its parent's.
TEST_F(Apart, AForkedChildsThreadIsItsFirst) {
  const All said = said_by(run({"fork"}));
  const Told told = told_in(folder_);
  EXPECT_EQ(told.reports.size(), 4U);
  std::size_t children = 0;
  for (const Asked& one : told.threads) {
    if (one.calls != 7) continue;
    ++children;
    EXPECT_EQ(one.tid, one.pid);
    EXPECT_TRUE(said.contains(one));
  }
  EXPECT_EQ(children, 3U);
  EXPECT_EQ(told.shared, 3 * 7);
}

// The tables are full; in the child they are not.
TEST_F(Apart, AForkedChildHasATableWhereItsParentHadNone) {
  run({"fork-late", "250"});
  const Told told = told_in(folder_);
  ASSERT_EQ(told.reports.size(), 2U);
  std::size_t children = 0;
  for (const Asked& one : told.threads) children += one.calls == 7 && one.tid == one.pid ? 1 : 0;
  EXPECT_EQ(children, 1U);
}

// The child's thread and the second one that it makes come by the same chain of callers, which the
// parent's thread had walked before.
TEST_F(Apart, AForkedChildCountsChainsInItsOwnTable) {
  const All said = said_by(run({"fork-chain"}, "2"));
  EXPECT_EQ(said.size(), 4U);
  EXPECT_EQ(told_in(folder_).threads, said);
}

// It has its parent's table, too.
TEST_F(Apart, ARawThreadIsToldAsItsParent) {
  const All said = said_by(run({"raw"}));
  EXPECT_EQ(said.size(), 1U);
  EXPECT_EQ(told_in(folder_).threads, said);
}

// In .preinit_array, when the library had not started yet.
TEST_F(Apart, TheFirstThreadIsKnownAlsoWhereItAskedBeforeTheLibrarysStart) {
  const HostRun host = run_host("first_call", {.report = true});
  ASSERT_EQ(host.reports.size(), 1U) << host.err;
  const auto& [pid, report] = *host.reports.begin();
  ASSERT_EQ(report["threads"].size(), 1U);
  EXPECT_EQ(report["threads"][0]["tid"], pid);
  EXPECT_EQ(report["threads"][0]["threads"], 1);
}

TEST_F(Apart, TheReportAtExitHasThreadsAndTheNamesOfThoseThatRun) {
  const HostRun host = run_host("apart", {.arguments = {"exit", "3"}, .report = true});
  ASSERT_EQ(host.ending(), "exit 0") << host.out << host.err;
  ASSERT_EQ(host.reports.size(), 1U);
  const Json& report = host.reports.begin()->second;
  All told;
  std::set<std::string> names;
  long by_site = 0;
  for (const Json& thread : report["threads"]) {
    told.insert({thread["pid"], thread["tid"], thread["calls"]});
    names.insert(thread["name"]);
    for (const Json& share : thread["sites"]) by_site += share["calls"].get<long>();
  }
  EXPECT_EQ(told, said_by(host));
  EXPECT_EQ(names, (std::set<std::string>{"apart", "asks-101", "asks-102", "asks-103"}));
  EXPECT_EQ(by_site, calls_in_all(report));
}

}  // namespace
}  // namespace clockshim::test
