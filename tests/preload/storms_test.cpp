// Why: a signal can strike between any two instructions of a call, and a fork copies the clock's
// state in the middle of anything. Neither may turn time back, in the threads that go on or in the
// children.
#include <ctime>

#include "served_run.h"

namespace clockshim::test {
namespace {

constexpr long kChildren = 200;
constexpr long kLeastDuring =
    20;  // signals, or forks, that came while the threads exchanged readings

class Storms : public testing::TestWithParam<int> {};

TEST_P(Storms, OfSignalsOverTheHandoff) {
  const auto served = run_served("storms", {"signals", "2", std::to_string(GetParam()), "50000"});
  if (!served) return;
  expect_ordered(*served);
  EXPECT_GE(served->number("during"), kLeastDuring);
}

TEST_P(Storms, OfForksOverTheHandoff) {
  const auto served = run_served(
      "storms", {"forks", "2", std::to_string(GetParam()), "200000", std::to_string(kChildren)});
  if (!served) return;
  expect_ordered(*served);
  EXPECT_GE(served->number("during"), kLeastDuring);
  EXPECT_GT(served->number("children_readings"), kChildren);
  EXPECT_EQ(served->number("children_backward"), 0)
      << "of " << served->number("children_readings") << " readings; the worst by "
      << served->number("children_worst") << " ns; " << served->mode();
}

INSTANTIATE_TEST_SUITE_P(OfEachClock, Storms, testing::Values(CLOCK_REALTIME, CLOCK_MONOTONIC));

}  // namespace
}  // namespace clockshim::test
