// Why: functions and arguments that ask for the same clock may be answered in different places,
// some of them by the kernel. Whoever mixes them (an old library's gettimeofday with a timezone
// beside everybody's clock_gettime) must not see time go back.
#include "served_run.h"

namespace clockshim::test {
namespace {

class MixedPaths : public testing::TestWithParam<int> {};

TEST_P(MixedPaths, TimeDoesNotGoBackFromOneToTheNext) {
  const auto served = run_served("mixed_paths", {std::to_string(GetParam()), "1000000"});
  if (!served) return;
  EXPECT_EQ(served->number("backward"), 0)
      << "of " << served->number("readings") << " readings; the worst by "
      << served->number("worst") << " ns; " << served->mode();
}

INSTANTIATE_TEST_SUITE_P(Threads, MixedPaths, testing::Values(1, 3));

}  // namespace
}  // namespace clockshim::test
