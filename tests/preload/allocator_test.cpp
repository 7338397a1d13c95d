// Why: an allocator that is preloaded too asks for the time while it initialises, which may be
// while we do, and from within malloc, which we then must not call.
#include <gtest/gtest.h>

#include "run_host.h"

namespace clockshim::test {
namespace {

constexpr const char* kAllocator = "libjemalloc.so.2";

// Not by dlopen, which it refuses: its TLS wants to be there from the start.
bool allocator_installed() {
  const HostRun run = run_host("allocator", {.shim = false, .preload_after = kAllocator});
  return run.out.find("jemalloc there\n") != std::string::npos;
}

void expect_exact(const HostOptions& options) {
  const HostRun run = run_host("allocator", options);
  ASSERT_EQ(run.ending(), "exit 0") << run.out << run.err;
  EXPECT_NE(run.out.find("jemalloc there\n"), std::string::npos)
      << "the allocator was not loaded: nothing was tested";
  ASSERT_EQ(run.reports.size(), 1U) << run.err;
  const auto& [pid, report] = *run.reports.begin();
  EXPECT_EQ(calls_of_function(report, "gettimeofday"), numbers_by_process(run, "days").at(pid));
}

TEST(Allocator, PreloadedBeforeTheShim) {
  if (!allocator_installed()) GTEST_SKIP() << kAllocator << " is not installed";
  expect_exact({.preload_before = kAllocator, .report = true});
}

TEST(Allocator, PreloadedAfterTheShim) {
  if (!allocator_installed()) GTEST_SKIP() << kAllocator << " is not installed";
  expect_exact({.preload_after = kAllocator, .report = true});
}

}  // namespace
}  // namespace clockshim::test
