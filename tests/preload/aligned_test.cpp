// Why: counters that differ by constants share one timeline, which holds only as long as they do.
// What ends it: a counter that drifts, offsets that are wrong, a CPU that was not compared. The
// library under test is the build whose CPUs' counters are as the environment says.
#include <cstdlib>
#include <filesystem>
#include <string>

#include "served_run.h"

namespace clockshim::test {
namespace {

struct Planted {
  std::string counters;    // of the library's CPUs
  std::string saved = "";  // what the counters file says of them; "": there is none
};

// A run of the host `drift` for a second.
HostRun run_drift(const Planted& planted, const std::string& ppm,
                  const std::string& threads = "2") {
  const TempDir folder;
  if (!planted.saved.empty()) {
    const HostRun saved =
        run_host(std::getenv("TEST_SAVE_COUNTERS"),
                 {.arguments = {folder.path("clockshim/counters"), planted.saved}, .shim = false});
    EXPECT_EQ(saved.ending(), "exit 0") << saved.err;
  }
  HostRun run = run_host("drift", {.arguments = {threads, ppm, "1000"},
                                   .environment = {{"CLOCKSHIM_COUNTERS", "aligned"},
                                                   {"XDG_RUNTIME_DIR", folder.path().string()},
                                                   {"TEST_PLANTED", planted.counters}},
                                   .report = true});
  EXPECT_EQ(run.ending(), "exit 0") << run.out << run.err;
  EXPECT_EQ(run.reports.size(), 1U);
  return run;
}

std::string said(const HostRun& run, const char* key) {
  return run.reports.empty() ? "" : run.reports.begin()->second.at(key).get<std::string>();
}
long number(const HostRun& run, const char* word) {
  const auto all = numbers_by_process(run, word);
  return all.empty() ? -1 : all.begin()->second;
}

class Aligned : public testing::Test {
 protected:
  void SetUp() override {
    if (usable_cpus() < 2) GTEST_SKIP() << "one CPU: no counters that differ";
    if (usable_cpus() > 64) GTEST_SKIP() << "more CPUs than the offsets here are for";
  }
  // One offset for each pair of CPUs: the first has none.
  static std::string offsets(const std::string& first, const std::string& second) {
    std::string all = first + "," + second;
    for (int pair = 1; pair < 32; ++pair) all += "," + first + "," + second;
    return all;
  }
};

TEST_F(Aligned, ItStaysWhileTheCountersDifferByTheConstants) {
  const HostRun run = run_drift({offsets("0", "7000000"), offsets("0", "7000000")}, "0", "4");
  EXPECT_EQ(said(run, "mode"), "aligned") << said(run, "mode_reason");
  EXPECT_NE(said(run, "mode_reason").find("up to 7000000 ticks"), std::string::npos)
      << said(run, "mode_reason");
  EXPECT_EQ(number(run, "backward"), 0);
  EXPECT_GT(number(run, "handoffs"), kLeastHandoffs);
}

TEST_F(Aligned, WhicheverCounterIsAhead) {
  const HostRun run = run_drift({offsets("3000000000", "0"), offsets("3000000000", "0")}, "0");
  EXPECT_EQ(said(run, "mode"), "aligned") << said(run, "mode_reason");
  EXPECT_EQ(number(run, "backward"), 0);
}

TEST_F(Aligned, ADriftEndsIt) {
  for (const char* ppm : {"200", "-1000"}) {
    const HostRun run = run_drift({offsets("0", "7000000"), offsets("0", "7000000")}, ppm);
    EXPECT_EQ(number(run, "planted"), 1);
    EXPECT_EQ(said(run, "mode"), "percpu") << ppm;
    EXPECT_EQ(number(run, "backward_before"), 0) << ppm;
    // Each CPU takes the other's part of a segment, and no thread is that far off for long.
    EXPECT_LT(number(run, "worst"), 40'000) << ppm;
    EXPECT_LT(number(run, "last_after_us"), 300'000) << ppm;
  }
}

TEST_F(Aligned, WrongOffsetsEndIt) {
  for (const char* counters : {"1000000", "200000000"}) {
    const HostRun run = run_drift({offsets("0", counters), offsets("0", "0")}, "0");
    EXPECT_EQ(said(run, "mode"), "percpu") << counters;
    EXPECT_LE(number(run, "last_after_us"), 0) << "long before a fifth of the time is over";
  }
}

TEST_F(Aligned, WithoutAFileTheOffsetsAreZero) {
  const HostRun run = run_drift({offsets("0", "0")}, "0");
  EXPECT_EQ(said(run, "mode"), "aligned");
  EXPECT_NE(said(run, "mode_reason").find("no offsets are known"), std::string::npos)
      << said(run, "mode_reason");
  EXPECT_EQ(number(run, "backward"), 0);
}

TEST_F(Aligned, ACpuThatWasNotComparedEndsIt) {
  if (usable_cpus() > 2) GTEST_SKIP() << "a file with two CPUs of two that are not there is needed";
  // CPU 0, and none of the others that this machine has: save_counters leaves out what is "-".
  const HostRun run = run_drift({offsets("0", "0"), "0,-,0"}, "0");
  EXPECT_EQ(said(run, "mode"), "percpu");
  EXPECT_EQ(said(run, "mode_reason"), "CPU 1 was not there when the CPUs' counters were compared");
  EXPECT_EQ(number(run, "backward"), 0);
}

}  // namespace
}  // namespace clockshim::test
