// Why: programs ask the kernel beside the C library (LTP's clock_gettime04, which kernels are
// qualified with, does nothing else). What the kernel says after a served time must not be before
// it: nor a served time before what the kernel has said.
#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <string>

#include "served_run.h"

namespace clockshim::test {
namespace {

// Each run is a process that begins anew: a clock's first milliseconds, when its rate is hardly
// known, are the hardest.
constexpr int kRuns = 10;
constexpr long kPairs = 20'000;

class KernelOrder : public testing::TestWithParam<int> {};

// On a slow clock the order is kept to within what its own readings leave open.
void expect_none(const ServedRun& served, const std::string& word) {
  const long back = served.number(word);
  const bool exact = served.report.at("clocksource") == "tsc";
  const long allowed = exact ? 0 : served.tolerance_ns();
  EXPECT_TRUE(back == 0 || -served.number(word + "_nearest") < allowed)
      << back << " of " << served.number(word + "_pairs") << " pairs go back, by up to "
      << -served.number(word + "_nearest") << " ns; " << served.mode();
}

// A host that is attached to is there for a while before.
std::string pairs() {
  const char* const image = std::getenv("TEST_IMAGE");
  return std::to_string(image != nullptr && std::string(image) == "attach" ? 10 * kPairs : kPairs);
}

TEST_P(KernelOrder, TimeDoesNotGoBackBetweenTheKernelAndTheServedClock) {
  for (int run = 0; run < kRuns; ++run) {
    const auto served = run_served("kernel_order", {std::to_string(GetParam()), pairs()});
    if (!served) return;
    for (const char* word : {"behind", "early", "young_behind", "young_early"})
      expect_none(*served, word);
  }
}

INSTANTIATE_TEST_SUITE_P(OfEachClock, KernelOrder,
                         testing::Values(CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW,
                                         CLOCK_BOOTTIME, CLOCK_TAI));

}  // namespace
}  // namespace clockshim::test
