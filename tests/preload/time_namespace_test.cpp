// Why: containers can be given a monotonic clock of their own, as those are that were moved from
// another machine. The counter knows nothing of it: a served time that is not the namespace's is
// wrong by days.
#include <cstring>
#include <ctime>

#include "served_run.h"

namespace clockshim::test {
namespace {

constexpr long kSecond = 1'000'000'000;

struct Offsets {
  long monotonic;  // s
  long boottime;
};

// Nothing where the test is over.
std::optional<ServedRun> in_namespace(const Offsets& offsets) {
  auto served = run_served("time_namespace",
                           {std::to_string(offsets.monotonic), std::to_string(offsets.boottime)});
  if (!served || !served->says("refused")) return served;
  [&] {
    GTEST_SKIP() << "no time namespace to be had here: "
                 << std::strerror(static_cast<int>(served->number("refused")));
  }();
  return {};
}

// A child that is forked into the namespace brings along a segment of the time outside, and maybe
// its successor.
constexpr long kTwoSegments = 2 * 4'000'000;  // ns

class TimeNamespace : public testing::TestWithParam<Offsets> {};

TEST_P(TimeNamespace, IsServedToWhoIsExecutedInIt) {
  const auto served = in_namespace(GetParam());
  if (!served) return;
  for (const auto& [clock, offset] : {std::pair{CLOCK_MONOTONIC, GetParam().monotonic},
                                      std::pair{CLOCK_BOOTTIME, GetParam().boottime}}) {
    const std::string number = std::to_string(clock);
    EXPECT_LE(served->number("worst" + number), served->tolerance_ns()) << served->mode();
    // Read inside after the first reading outside, and before the second.
    EXPECT_GE(served->number("inside" + number),
              served->number("before" + number) + offset * kSecond - served->tolerance_ns());
    EXPECT_LE(served->number("inside" + number),
              served->number("after" + number) + offset * kSecond + served->tolerance_ns());
  }
}

class TimeNamespaceByFork : public TimeNamespace {};

TEST_P(TimeNamespaceByFork, IsServedOnceTheOutsidesSegmentsAreOver) {
  const auto served = in_namespace(GetParam());
  if (!served) return;
  for (const int clock : {CLOCK_MONOTONIC, CLOCK_BOOTTIME}) {
    const std::string number = std::to_string(clock);
    EXPECT_LE(served->number("wrong_for" + number), kTwoSegments)
        << served->number("wrong" + number) << " readings; " << served->mode();
  }
}

// Backwards by no more than any machine has been up.
INSTANTIATE_TEST_SUITE_P(OfEachSign, TimeNamespace,
                         testing::Values(Offsets{5000, 7000}, Offsets{-1, -2}),
                         [](const auto& tested) {
                           return tested.param.monotonic > 0 ? "Ahead" : "Behind";
                         });
INSTANTIATE_TEST_SUITE_P(Ahead, TimeNamespaceByFork,
                         testing::Values(Offsets{5000, 7000}, Offsets{-1, -2}));

}  // namespace
}  // namespace clockshim::test
