// Why: daemons close every descriptor at start and get the same numbers again for their own files
// and sockets. A library that kept one would write into them: libunwind's memory check does exactly
// that with its pipe, a byte a time.
#include <gtest/gtest.h>

#include "run_host.h"

namespace clockshim::test {
namespace {

TEST(Descriptors, CarryTheHostsBytesOnly) {
  const HostRun run = run_host("descriptors", {.report = true});
  ASSERT_EQ(run.ending(), "exit 0") << run.out << run.err;
  ASSERT_EQ(run.reports.size(), 1U) << run.err;
  const auto& [pid, report] = *run.reports.begin();
  EXPECT_EQ(numbers_by_process(run, "stray").at(pid), 0);
  EXPECT_EQ(numbers_by_process(run, "lost").at(pid), 0);
  // More sites than one thread's table holds: what is not counted is told.
  EXPECT_EQ(calls_in_all(report) + report.at("dropped").get<long>(),
            numbers_by_process(run, "asked").at(pid));
}

}  // namespace
}  // namespace clockshim::test
