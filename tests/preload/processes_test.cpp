// Why: daemons fork, shells spawn, runtimes clone by hand. A child counts what it does itself and nothing of its parent's;
// the parent loses nothing; each tells its own report.
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
  EXPECT_EQ(run.reports.size(), GetParam().processes) << "reports of processes that never asked, or lost ones";
}

INSTANTIATE_TEST_SUITE_P(Roads, Processes,
                         testing::Values(Road{"fork", 2}, Road{"fork-twice", 3}, Road{"fork-silent", 1}, Road{"raw-clone", 2},
                                         Road{"fork-in-thread", 2}, Road{"fork-amid-threads", 41}, Road{"vfork-exec", 2},
                                         Road{"vfork-ask-exec", 2}, Road{"spawn", 2}, Road{"clone-vm", 1}, Road{"exec", 1}),
                         [](const auto& road) {
                           std::string name = road.param.how;
                           for (char& c : name) c = c == '-' ? '_' : c;
                           return name;
                         });

}  // namespace
}  // namespace clockshim::test
