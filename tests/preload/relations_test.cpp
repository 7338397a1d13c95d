// Why: programs mix what the shim serves with what it does not see: clocks whose difference they
// know, time(), file times, readings inside libc. What the kernel guarantees between these must
// hold through the shim, to within the tolerance.
#include <algorithm>
#include <ctime>

#include "served_run.h"

namespace clockshim::test {
namespace {

void expect_between(std::vector<std::string> arguments) {
  const auto served = run_served("relations", std::move(arguments));
  if (!served) return;
  EXPECT_LE(served->number("early"), served->tolerance_ns()) << served->mode();
  EXPECT_LE(served->number("late"), served->tolerance_ns()) << served->mode();
  EXPECT_LT(served->number("narrowest"), served->tolerance_ns())
      << "the kernel's own readings are too far apart to tell anything";
}

class Between : public testing::TestWithParam<int> {};

TEST_P(Between, AServedReadingLiesBetweenTwoOfTheKernels) {
  expect_between({"between", std::to_string(GetParam()), "200000"});
}

INSTANTIATE_TEST_SUITE_P(OfEachClock, Between,
                         testing::Values(CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW,
                                         CLOCK_BOOTTIME, CLOCK_TAI));

TEST(Gettimeofday, LiesBetweenTwoOfTheKernels) { expect_between({"gettimeofday", "200000"}); }
TEST(TimespecGet, LiesBetweenTwoOfTheKernels) { expect_between({"timespec_get", "200000"}); }

class Pair : public testing::TestWithParam<std::pair<int, int>> {};

// Each of the two may be off by the tolerance, and both are read within the bracket.
TEST_P(Pair, IsAsFarApartAsTheKernelSays) {
  const auto served = run_served("relations", {"pair", std::to_string(GetParam().first),
                                               std::to_string(GetParam().second), "100000"});
  if (!served) return;
  EXPECT_LE(served->number("too_far"), 2 * served->tolerance_ns()) << served->mode();
  EXPECT_LE(served->number("too_near"), 2 * served->tolerance_ns()) << served->mode();
  EXPECT_LT(served->number("width"), served->tolerance_ns())
      << "the kernel's own readings are too far apart to tell anything";
}

INSTANTIATE_TEST_SUITE_P(OfEachPair, Pair,
                         testing::Values(std::pair{CLOCK_MONOTONIC, CLOCK_BOOTTIME},
                                         std::pair{CLOCK_REALTIME, CLOCK_TAI}));

// "ahead" is how far the one that was seen first is ahead of the clock that was read after it, at
// most; of the kernel's own clock that is never above zero on a sound machine.
void expect_not_ahead(std::vector<std::string> arguments) {
  const auto served = run_served("relations", std::move(arguments));
  if (!served) return;
  const long allowed = std::max(0L, served->number("kernel_ahead"));
  EXPECT_LE(served->number("ahead"), allowed)
      << "ns, by the served clock; by the kernel's " << served->number("kernel_ahead") << "; "
      << served->mode();
}

TEST(Ahead, CoarseRealtimeIsNot) {
  expect_not_ahead(
      {"coarse", std::to_string(CLOCK_REALTIME), std::to_string(CLOCK_REALTIME_COARSE), "200"});
}
TEST(Ahead, CoarseMonotonicIsNot) {
  expect_not_ahead(
      {"coarse", std::to_string(CLOCK_MONOTONIC), std::to_string(CLOCK_MONOTONIC_COARSE), "200"});
}
TEST(Ahead, TimeIsNot) { expect_not_ahead({"time", "3"}); }
TEST(Ahead, AFilesTimeIsNot) { expect_not_ahead({"mtime", "20000"}); }

}  // namespace
}  // namespace clockshim::test
