// Why: daemons fork, shells spawn, runtimes clone by hand. A child counts what it does itself and
// nothing of its parent's; the parent loses nothing; each tells its own report.
#include <gtest/gtest.h>

#include "run_host.h"

namespace clockshim::test {
namespace {

struct Road {
  std::string how;
  std::size_t processes;  // that say how often they called
};

class Processes : public testing::TestWithParam<Road> {};

TEST_P(Processes, EachCountsItsOwn) {
  const HostRun run = run_host("processes", {.arguments = {GetParam().how}, .report = true});
  ASSERT_EQ(run.ending(), "exit 0") << run.out << run.err;
  expect_exact_counts(run, GetParam().processes);
  EXPECT_EQ(run.reports.size(), GetParam().processes)
      << "reports of processes that never asked, or lost ones";
}

constexpr auto kNameOfRoad = [](const auto& road) {
  std::string name = road.param.how;
  for (char& c : name) c = c == '-' ? '_' : c;
  return name;
};

INSTANTIATE_TEST_SUITE_P(Roads, Processes,
                         testing::Values(Road{"fork", 2}, Road{"fork-twice", 3},
                                         Road{"fork-silent", 1}, Road{"fork-in-thread", 2},
                                         Road{"vfork-exec", 2}, Road{"vfork-ask-exec", 2},
                                         Road{"spawn", 2}, Road{"clone-vm", 1}, Road{"exec", 1}),
                         kNameOfRoad);

// A child by raw clone may count with its parent: no handler ran at the fork. No call is lost, or
// told twice.
class RawProcesses : public Processes {};

TEST_P(RawProcesses, TogetherTheyCountAll) {
  const HostRun run = run_host("processes", {.arguments = {GetParam().how}, .report = true});
  ASSERT_EQ(run.ending(), "exit 0") << run.out << run.err;
  long said = 0;
  const auto calls = numbers_by_process(run, "calls");
  for (const auto& [pid, number] : calls) said += number;
  EXPECT_EQ(calls.size(), GetParam().processes) << run.out << run.err;
  long told = 0;
  for (const auto& [pid, report] : run.reports) {
    told += calls_in_all(report);
    EXPECT_EQ(report.at("dropped"), 0);
    EXPECT_TRUE(calls.contains(pid)) << "a report of a process that never called";
  }
  EXPECT_EQ(told, said) << run.err;
}

INSTANTIATE_TEST_SUITE_P(Roads, RawProcesses,
                         testing::Values(Road{"raw-clone", 2}, Road{"fork-amid-threads", 41}),
                         kNameOfRoad);

}  // namespace
}  // namespace clockshim::test
