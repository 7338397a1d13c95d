// Why: a time that runs backwards between two threads breaks queues and timeouts in ways that
// nobody finds. Threads that hand their readings to each other, by whatever means, may never read
// less than what they were handed.
#include <ctime>

#include "served_run.h"

namespace clockshim::test {
namespace {

// Millions in all: most by the quickest carriers, which leave the least time between two readings.
struct Case {
  const char* carrier;
  int threads;
  int clock;
  long handoffs;
};

class Ordering : public testing::TestWithParam<Case> {};

TEST_P(Ordering, NothingRunsBackwardsBetweenThreads) {
  if (usable_cpus() < 2) GTEST_SKIP() << "one CPU: threads that take turns prove nothing";
  const auto& [carrier, threads, clock, handoffs] = GetParam();
  const auto served = run_served("ordering", {carrier, std::to_string(threads),
                                              std::to_string(clock), std::to_string(handoffs)});
  if (served) expect_ordered(*served);
}

INSTANTIATE_TEST_SUITE_P(Strict, Ordering,
                         testing::Values(Case{"atomic", 2, CLOCK_REALTIME, 150'000},
                                         Case{"atomic", 2, CLOCK_MONOTONIC, 150'000},
                                         Case{"atomic", 4, CLOCK_REALTIME, 150'000},
                                         Case{"atomic", 4, CLOCK_MONOTONIC, 150'000},
                                         Case{"lines", 2, CLOCK_MONOTONIC, 2'000'000},
                                         Case{"lines", 4, CLOCK_REALTIME, 1'000'000},
                                         Case{"mutex", 2, CLOCK_MONOTONIC, 150'000},
                                         Case{"mutex", 4, CLOCK_REALTIME, 150'000},
                                         Case{"pipe", 2, CLOCK_REALTIME, 20'000},
                                         Case{"pipe", 4, CLOCK_MONOTONIC, 80'000}),
                         [](const auto& tested) {
                           const Case& c = tested.param;
                           return std::string(c.carrier) + std::to_string(c.threads) +
                                  (c.clock == CLOCK_REALTIME ? "Realtime" : "Monotonic");
                         });

}  // namespace
}  // namespace clockshim::test
