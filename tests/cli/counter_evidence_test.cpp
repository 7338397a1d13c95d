// What `clockshim run` finds out of the CPUs' counters before it starts a command, with counters
// that a test makes up; and the command as a whole on a machine whose clocksource is made to look
// like another.
#include "cli/machine/counter_evidence.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "cli/machine/cpu_set.h"
#include "os/real_clock.h"
#include "run_command.h"

namespace clockshim::cli {
namespace {

constexpr Nanos kTolerance = microseconds(10);

// A counter for each CPU, made of one sequence of numbers. It advances by kHandoff with each
// reading, as if each handoff took so long.
constexpr std::uint64_t kHandoff = 300;
std::atomic<std::uint64_t> g_readings{0};
std::atomic<std::uint64_t> g_ahead{0};  // of odd CPUs, in ticks
Ticks made_up(int cpu) {
  return Ticks{g_readings.fetch_add(1) * kHandoff + (cpu % 2 == 0 ? 0 : g_ahead.load())};
}

// The same, where odd CPUs have drifted away once nobody has read a counter for 40 ms: by the
// second round. Readings take turns.
Nanos g_last;
Ticks drifting(int cpu) {
  Nanos now;
  real::read(CLOCK_MONOTONIC, now);
  if (now - g_last > milliseconds(40)) g_ahead = 2 * kHandoff;
  g_last = now;
  return made_up(cpu);
}

CounterEvidence found(std::uint64_t ahead) {
  g_ahead = ahead;
  return compare_counters({0, 1}, kTolerance, made_up);
}

bool two_cpus() {
  const std::vector<int> cpus = allowed_cpus();
  return cpus.size() >= 2 && cpus[0] == 0 && cpus[1] == 1;
}

TEST(CounterEvidence, AgreementIsMeasured) {
  if (!two_cpus()) GTEST_SKIP() << "no two CPUs to run on";
  const CounterEvidence evidence = found(0);
  if (evidence.found == CountersFound::unknown) GTEST_SKIP() << evidence.text;
  EXPECT_EQ(evidence.found, CountersFound::agree) << evidence.text;
  EXPECT_EQ(evidence.within, kHandoff);
  EXPECT_EQ(handed_over(evidence), "measured:300");
  EXPECT_EQ(evidence.text, "2 CPUs' counters agree within 300 ticks");
}

TEST(CounterEvidence, CounterThatIsBehindIsProof) {
  if (!two_cpus()) GTEST_SKIP() << "no two CPUs to run on";
  const CounterEvidence evidence = found(100'000);
  EXPECT_EQ(evidence.found, CountersFound::disagree) << evidence.text;
  EXPECT_EQ(handed_over(evidence), "disagree");
  EXPECT_EQ(evidence.text, "CPU 0's counter was 99700 ticks behind CPU 1's");
}

// Nothing is seen to go back, but a handoff that is faster than those could show it.
TEST(CounterEvidence, UnevenHandoffsAreNoProof) {
  if (!two_cpus()) GTEST_SKIP() << "no two CPUs to run on";
  const CounterEvidence evidence = found(kHandoff - 20);
  EXPECT_EQ(evidence.found, CountersFound::unknown) << evidence.text;
  EXPECT_EQ(handed_over(evidence), "");
}

TEST(CounterEvidence, DriftShowsInTheSecondRound) {
  if (!two_cpus()) GTEST_SKIP() << "no two CPUs to run on";
  g_ahead = 0;
  real::read(CLOCK_MONOTONIC, g_last);
  const CounterEvidence evidence = compare_counters({0, 1}, kTolerance, drifting);
  if (evidence.found == CountersFound::unknown) GTEST_SKIP() << evidence.text;
  EXPECT_EQ(evidence.found, CountersFound::disagree) << evidence.text;
}

// Each handoff takes longer than what the counters may be apart by.
TEST(CounterEvidence, ToleranceHasTheLastWord) {
  if (!two_cpus()) GTEST_SKIP() << "no two CPUs to run on";
  g_ahead = 0;
  const CounterEvidence evidence = compare_counters({0, 1}, Nanos{100}, made_up);
  EXPECT_EQ(evidence.found, CountersFound::unknown) << evidence.text;
}

TEST(CounterEvidence, CpuThatIsNotThereProvesNothing) {
  EXPECT_EQ(compare_counters({0, CPU_SETSIZE - 1}, kTolerance, counter_of).found,
            CountersFound::unknown);
  EXPECT_EQ(compare_counters({0}, kTolerance, counter_of).found, CountersFound::unknown);
}

TEST(CounterEvidence, EveryCpuIsComparedWithTheFirst) {
  EXPECT_EQ(pairs_of_evidence({0, 1, 2, 3}).size(), 6U) << "all";
  std::vector<int> many(64);
  for (int i = 0; i < 64; ++i) many[static_cast<std::size_t>(i)] = i;
  const auto pairs = pairs_of_evidence(many);
  ASSERT_EQ(pairs.size(), 63U);
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    EXPECT_EQ(pairs[i].first, 0);
    EXPECT_EQ(pairs[i].second, static_cast<int>(i) + 1);
  }
}

Ticks must_not_be_read(int /*cpu*/) {
  ADD_FAILURE() << "there was no question";
  return Ticks{};
}

TEST(FindEvidence, OnlyWhereThereIsAQuestion) {
  const std::vector<int> cpus{0, 1};
  Settings settings;
  EXPECT_EQ(find_evidence(settings, "tsc", cpus, 2, must_not_be_read).text, "");
  EXPECT_EQ(find_evidence(settings, "acpi_pm", {0}, 1, must_not_be_read).text, "") << "one CPU";
  EXPECT_NE(find_evidence(settings, "acpi_pm", {0, 1}, 4, must_not_be_read).text, "")
      << "CPUs that we may not use";
  settings.tolerance = Nanos{0};
  EXPECT_EQ(find_evidence(settings, "acpi_pm", cpus, 2, must_not_be_read).text, "")
      << "nothing is served";
  settings = {};
  for (const Counters said : {Counters::agree, Counters::disagree, Counters::measured}) {
    settings.counters = said;
    EXPECT_EQ(find_evidence(settings, "acpi_pm", cpus, 2, must_not_be_read).text, "");
  }
}

// From here on, for this thread and what it starts, the kernel seems to use acpi_pm.
bool pretend_acpi_pm(const std::string& file) {
  constexpr const char* kWhere = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
  return unshare(CLONE_NEWNS) == 0 &&
         mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         mount(file.c_str(), kWhere, nullptr, MS_BIND, nullptr) == 0;
}

// `clockshim` as it ends on such a machine; none where that can't be made.
std::optional<test::Ending> on_acpi_pm(const std::vector<std::string>& arguments,
                                       const std::vector<std::string>& environment = {}) {
  const test::TempDir folder;
  const std::string clocksource = folder.file("clocksource", "acpi_pm\n", test::kPlain);
  std::optional<test::Ending> ending;
  std::thread elsewhere([&] {
    if (pretend_acpi_pm(clocksource)) ending = test::run_clockshim(arguments, environment);
  });
  elsewhere.join();
  return ending;
}

struct Told {
  nlohmann::json report;
  std::string err;
};

// The report of a program that ran below `clockshim run OPTIONS` there.
std::optional<Told> program_on_acpi_pm(const std::vector<std::string>& options,
                                       const std::vector<std::string>& environment = {}) {
  const test::TempDir folder;
  std::vector<std::string> arguments{"run", "--log", "info", "--report",
                                     folder.path("report.json")};
  arguments.insert(arguments.end(), options.begin(), options.end());
  arguments.insert(arguments.end(), {"--", test::program_path("clock_program")});
  const auto ending = on_acpi_pm(arguments, environment);
  if (!ending) return std::nullopt;
  std::ifstream file(folder.path("report.json"));
  return Told{nlohmann::json::parse(file, nullptr, false), ending->err};
}

constexpr const char* kCompared =
    "the CPUs' counters were compared before the start: they agree within ";

TEST(RunFindsEvidence, AndHandsItOver) {
  const auto told = program_on_acpi_pm({});
  if (!told) GTEST_SKIP() << "no mount namespace of our own here";
  if (!two_cpus()) GTEST_SKIP() << "no two CPUs to run on";
  ASSERT_TRUE(told->report.is_object()) << told->err;
  EXPECT_EQ(told->report["clocksource"], "acpi_pm");
  const std::string reason = told->report["mode_reason"];
  if (told->err.find("counters agree within") != std::string::npos) {
    EXPECT_EQ(told->report["mode"], "coherent") << reason;
    EXPECT_TRUE(reason.starts_with(kCompared)) << reason;
  } else {  // busy, or counters that do disagree
    EXPECT_EQ(told->report["mode"], "percpu") << reason;
    EXPECT_NE(told->err.find("so looked myself: "), std::string::npos) << told->err;
  }
}

// What it measures is what `run` would give.
TEST(BenchFindsEvidence, AsRunDoes) {
  std::string last;
  for (int agreed = 0, tries = 0; agreed < 3; ++tries) {
    const auto told = program_on_acpi_pm({});
    const auto bench = on_acpi_pm({"bench", "--quick", "--json"});
    if (!told || !bench) GTEST_SKIP() << "no mount namespace of our own here";
    if (tries == 10) GTEST_SKIP() << "too busy, or counters that disagree: " << told->err;
    last = nlohmann::json::parse(bench->out, nullptr, false)["shim"]["strict"].value("mode_reason",
                                                                                     "");
    if (last.starts_with(kCompared)) return;
    if (told->err.find("counters agree within") != std::string::npos) ++agreed;
  }
  FAIL() << "run found three times that the counters agree, bench never: " << last;
}

TEST(RunFindsEvidence, NotWhereItWasTold) {
  const auto told = program_on_acpi_pm({"--counters", "disagree"});
  if (!told) GTEST_SKIP() << "no mount namespace of our own here";
  EXPECT_EQ(told->report["mode_reason"], "CLOCKSHIM_COUNTERS=disagree");
  EXPECT_EQ(told->err.find("looked myself"), std::string::npos) << told->err;
  const auto inherited = program_on_acpi_pm({}, {"CLOCKSHIM_COUNTERS=measured:42"});
  EXPECT_EQ(inherited->report["mode_reason"],
            "the CPUs' counters were compared before the start: they agree within 42 ticks");
  EXPECT_EQ(inherited->err.find("looked myself"), std::string::npos) << inherited->err;
}

}  // namespace
}  // namespace clockshim::cli
