// Why: daemons wait by `while (now() < deadline) wait(deadline)`. The kernel ends the wait by its
// own clock; if the served one lags it, the loop turns again and again at full speed until it has
// caught up.
#include <ctime>

#include "served_run.h"

namespace clockshim::test {
namespace {

struct Case {
  const char* wait;
  int clock;
  long waits = 900;
};

class Waits : public testing::TestWithParam<Case> {};

TEST_P(Waits, TheLoopAroundOneTurnsOnce) {
  const auto& [wait, clock, waits] = GetParam();
  const auto served = run_served("waits", {wait, std::to_string(clock), std::to_string(waits)});
  if (!served) return;
  EXPECT_EQ(served->number("early"), 0)
      << "of " << waits << " waits; the worst " << -served->number("nearest")
      << " ns before its deadline; " << served->mode();
  EXPECT_EQ(served->number("turns"), waits);
}

constexpr long kByMilliseconds = 300;  // those that can't wait for less than one

INSTANTIATE_TEST_SUITE_P(
    OfEachKind, Waits,
    testing::Values(Case{"cond_timedwait", CLOCK_REALTIME}, Case{"cond_timedwait", CLOCK_MONOTONIC},
                    Case{"cond_clockwait", CLOCK_REALTIME}, Case{"cond_clockwait", CLOCK_MONOTONIC},
                    Case{"sem_timedwait", CLOCK_REALTIME}, Case{"sem_clockwait", CLOCK_REALTIME},
                    Case{"sem_clockwait", CLOCK_MONOTONIC}, Case{"mutex_timedlock", CLOCK_REALTIME},
                    Case{"mutex_clocklock", CLOCK_MONOTONIC}, Case{"timerfd_read", CLOCK_REALTIME},
                    Case{"timerfd_read", CLOCK_MONOTONIC}, Case{"timerfd_read", CLOCK_BOOTTIME},
                    Case{"timerfd_epoll", CLOCK_REALTIME}, Case{"timerfd_epoll", CLOCK_MONOTONIC},
                    Case{"clock_nanosleep", CLOCK_REALTIME},
                    Case{"clock_nanosleep", CLOCK_MONOTONIC},
                    Case{"clock_nanosleep", CLOCK_BOOTTIME}, Case{"clock_nanosleep", CLOCK_TAI},
                    Case{"nanosleep", CLOCK_MONOTONIC}, Case{"ppoll", CLOCK_MONOTONIC},
                    Case{"epoll_pwait2", CLOCK_MONOTONIC},
                    Case{"poll", CLOCK_MONOTONIC, kByMilliseconds},
                    Case{"epoll_wait", CLOCK_MONOTONIC, kByMilliseconds}),
    [](const auto& tested) {
      return std::string(tested.param.wait) + "_clock" + std::to_string(tested.param.clock);
    });

}  // namespace
}  // namespace clockshim::test
