// Why: a daemon may have more callers than there is room for, and a JIT makes new ones for as long
// as it runs. Once the tables were full each further call searched all of them, by a locked
// exchange on each entry (30 us), and was told as dropped; and generated code took the room of code
// that stays.
#include <gtest/gtest.h>

#include "run_host.h"

namespace clockshim::test {
namespace {

const Json& only_report(const HostRun& run) { return run.reports.begin()->second; }

long sites_in(const Json& report, const std::string& module, long calls) {
  long sites = 0;
  for (const Json& site : report["sites"]) {
    const Json& frames = site["frames"];
    if (frames.empty() || site["calls"].get<long>() != calls) continue;
    const std::string path = frames[0].value("module", "");
    if (path.size() >= module.size() && path.ends_with(module)) ++sites;
  }
  return sites;
}

TEST(FullTables, EachCallIsCountedUnderItsCallerOrAmongOthers) {
  const HostRun run =
      run_host("full_tables", {.arguments = {"module", "1500", "3"}, .report = true});
  ASSERT_EQ(run.ending(), "exit 0") << run.out << run.err;
  expect_exact_counts(run, 1);
  const Json& report = only_report(run);
  EXPECT_EQ(report["dropped"].get<long>(), 0);
  const long apart = sites_in(report, "full_tables", 3);
  EXPECT_GT(apart, 900);
  EXPECT_EQ(calls_from(report, "other callers"), 3 * (1500 - apart));
}

TEST(FullTables, ThreadsThatMeetThereCountExactlyToo) {
  const HostRun run = run_host("full_tables", {.arguments = {"threads", "1500"}, .report = true});
  ASSERT_EQ(run.ending(), "exit 0") << run.out << run.err;
  expect_exact_counts(run, 1);
  EXPECT_EQ(only_report(run)["dropped"].get<long>(), 0);
}

TEST(FullTables, GeneratedCodeLeavesRoomForCodeThatStays) {
  const HostRun run = run_host("full_tables", {.arguments = {"generated", "4000"}, .report = true});
  ASSERT_EQ(run.ending(), "exit 0") << run.out << run.err;
  expect_exact_counts(run, 1);
  const Json& report = only_report(run);
  EXPECT_EQ(report["dropped"].get<long>(), 0);
  EXPECT_EQ(sites_in(report, "full_tables", 5), 200) << "each caller of the program's own is told";
  EXPECT_GT(calls_from(report, "generated code"), 0);
}

// What is half done at the fork, by threads that the child has not, must not stay so in it.
TEST(FullTables, AChildThatIsForkedAmidFirstCallsTellsItsOwn) {
  constexpr std::size_t kChildren = 50;
  const HostRun run = run_host("full_tables", {.arguments = {"forks", std::to_string(kChildren)},
                                               .environment = {{"CLOCKSHIM_DEPTH", "1"}},
                                               .report = true});
  ASSERT_EQ(run.ending(), "exit 0") << run.out << run.err;
  expect_exact_counts(run, kChildren);
  for (const auto& [process, report] : run.reports)
    EXPECT_EQ(sites_in(report, "full_tables", 5), 200) << "of " << process;
}

// Counted in instructions, as the processor's trap flag shows them: no clock decides. Nothing is
// served, so that no resync comes in between.
TEST(FullTables, AFullTableCostsLittle) {
  const HostRun run = run_host(
      "full_tables", {.arguments = {"steps"}, .environment = {{"CLOCKSHIM_TOLERANCE", "0"}}});
  ASSERT_EQ(run.ending(), "exit 0") << run.out << run.err;
  const auto steps = [&](const char* word) {
    const auto numbers = numbers_by_process(run, word);
    return numbers.empty() ? 0 : numbers.begin()->second;
  };
  const long normal = steps("normal");
  ASSERT_GT(normal, 0);
  for (const char* const what : {"full", "generated"}) {
    const long first = steps(what);  // of a caller that has not called lately
    const long again = steps((std::string(what) + "_again").c_str());
    RecordProperty(what, static_cast<int>(first));
    EXPECT_LE(first, 3 * normal) << what
                                 << ": with the kernel's clock, which costs about as much as ours";
    EXPECT_LE(again, 2 * normal) << what;
    EXPECT_GE(again, normal);
  }
}

}  // namespace
}  // namespace clockshim::test
