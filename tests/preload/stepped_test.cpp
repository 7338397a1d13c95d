// Why: debuggers and tracers step through code one instruction at a time. What begins again where
// it was interrupted (a restartable sequence) never ends then, and the program hangs in a clock
// call.
#include <ctime>

#include "served_run.h"

namespace clockshim::test {
namespace {

TEST(Stepped, ACallEndsAndTimeDoesNotGoBack) {
  for (const int clock : {CLOCK_MONOTONIC, CLOCK_REALTIME}) {
    const auto served = run_served("stepped", {std::to_string(clock), "50"});
    if (!served) return;
    EXPECT_EQ(served->number("backward"), 0) << served->mode();
    EXPECT_GT(served->number("most"), 100) << "it was not stepped through";
  }
}

}  // namespace
}  // namespace clockshim::test
