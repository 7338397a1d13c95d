// Why: counters stand per thread. They must survive the end of their thread, thread number 5000, a
// stack with no room to spare, and more threads alive than there are tables for.
#include <gtest/gtest.h>

#include <unistd.h>

#include "run_host.h"

namespace clockshim::test {
namespace {

void expect_exact(std::vector<std::string> arguments, const std::string& host = "threads",
                  const std::string& order = "strict") {
  const HostRun run = run_host(host, {.arguments = std::move(arguments),
                                      .environment = {{"CLOCKSHIM_ORDER", order}},
                                      .report = true});
  ASSERT_EQ(run.ending(), "exit 0") << run.out << run.err;
  expect_exact_counts(run, 1);
  ASSERT_EQ(run.reports.size(), 1U);
  const Json& report = run.reports.begin()->second;
  EXPECT_EQ(calls_of_function(report, "clock_gettime"), calls_of_function(report, "gettimeofday"));
}

TEST(Threads, FiveThousandShortOnes) { expect_exact({"5000", "40", "1"}); }
TEST(Threads, EightAtATime) { expect_exact({"64", "200000", "8"}); }
TEST(Threads, SmallestStack) {
  expect_exact({"200", "20000", "4", std::to_string(sysconf(_SC_THREAD_STACK_MIN))});
}
TEST(Threads, OfAProgramWithThreadLocalMemory) {
  for (const char* order : {"strict", "relaxed"})
    expect_exact({"64", "20000", "8"}, "threads_own_tls", order);
}
TEST(Threads, MoreAliveThanTables) { expect_exact({"1500", "600", "1500"}); }

}  // namespace
}  // namespace clockshim::test
