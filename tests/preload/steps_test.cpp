// Why: somebody sets the clock of a machine in production, and every daemon on it must follow: at
// once where it did so itself, within 100 us where another did. Steps of a millisecond, forth and
// back, so that this machine's time stays.
#include <gtest/gtest.h>
#include <sys/timex.h>

#include <cstdlib>
#include <string>

#include "run_host.h"

namespace clockshim::test {
namespace {

class Steps : public testing::TestWithParam<std::tuple<const char*, const char*>> {};

TEST_P(Steps, AreFollowedAndDoNotTouchOtherClocks) {
  const auto [how, counters] = GetParam();
  // Enough that there are some when a host is attached to.
  const char* const image = std::getenv("TEST_IMAGE");
  const char* const times = image != nullptr && std::string(image) == "attach" ? "60" : "20";
  const HostRun run = run_host("steps", {.arguments = {how, "1000000", "10000", times},
                                         .environment = {{"CLOCKSHIM_COUNTERS", counters}},
                                         .report = true});
  ASSERT_EQ(run.ending(), "exit 0") << run.out << run.err;
  if (!numbers_by_process(run, "forbidden").empty()) GTEST_SKIP() << "only root may set the clock";
  ASSERT_EQ(run.reports.size(), 1U) << run.err;
  const long pid = run.reports.begin()->first;
  EXPECT_EQ(numbers_by_process(run, "late").at(pid), 0)
      << "the worst after " << numbers_by_process(run, "worst").at(pid) << " ns";
  EXPECT_EQ(numbers_by_process(run, "monotonic_wrong").at(pid), 0);
  if (std::string(how) == "unseen") {
    // Of 40, and there and back may be one where the machine is busy.
    EXPECT_GE(run.reports.at(pid).at("disturbances").get<long>(), 20);
  }
}

INSTANTIATE_TEST_SUITE_P(Of, Steps,
                         testing::Combine(testing::Values("unseen", "here"),
                                          testing::Values("agree", "disagree")));

class Settings : public testing::TestWithParam<const char*> {
 public:
  Settings() { adjtimex(&before_); }
  // A host that was killed amid its changes has left a machine whose clock goes wrong by a tenth.
  ~Settings() override {
    timex now{};
    adjtimex(&now);
    if (now.tick != before_.tick) {
      before_.modes = ADJ_TICK;
      adjtimex(&before_);
    }
    if (now.tai != before_.tai) {
      before_.modes = ADJ_TAI;
      before_.constant = before_.tai;
      adjtimex(&before_);
    }
  }
  Settings(const Settings&) = delete;
  Settings& operator=(const Settings&) = delete;

 protected:
  HostRun run(const std::string& how, const std::string& times) const {
    return run_host("steps", {.arguments = {how, "0", "10000", times},
                              .environment = {{"CLOCKSHIM_COUNTERS", GetParam()}},
                              .report = true});
  }

 private:
  timex before_{};
};

TEST_P(Settings, OfTaisOffsetAreFollowedAtOnceWhereTheProcessDoesThem) {
  const HostRun host = run("tai", "20");
  ASSERT_EQ(host.ending(), "exit 0") << host.out << host.err;
  if (!numbers_by_process(host, "forbidden").empty()) GTEST_SKIP() << "only root may set the clock";
  EXPECT_EQ(numbers_by_process(host, "late").begin()->second, 0) << host.out;
}

// More than NTP's 500 ppm, on which the segments' lengths rely. What is wrong then has to be in the
// figures.
TEST_P(Settings, OfTheRateThatAreLargeShowInTheFigures) {
  const HostRun host = run("rate", "3");
  ASSERT_EQ(host.ending(), "exit 0") << host.out << host.err;
  if (!numbers_by_process(host, "forbidden").empty()) GTEST_SKIP() << "only root may set the clock";
  const long worst = numbers_by_process(host, "worst").begin()->second;
  ASSERT_EQ(host.reports.size(), 1U) << host.err;
  const Json& accuracy = host.reports.begin()->second.at("accuracy");
  RecordProperty("worst", std::to_string(worst));
  RecordProperty("reported", accuracy.at("max_ns").dump());
  EXPECT_LE(worst, 500'000) << "a tenth of a segment of 4 ms, and the looks around it";
  if (worst == 0) return;
  EXPECT_GT(accuracy.at("over_tolerance").get<long>(), 0) << host.out << accuracy.dump();
  EXPECT_GE(accuracy.at("max_ns").get<long>(), worst / 2) << host.out << accuracy.dump();
}

INSTANTIATE_TEST_SUITE_P(Of, Settings, testing::Values("agree", "disagree"));

}  // namespace
}  // namespace clockshim::test
