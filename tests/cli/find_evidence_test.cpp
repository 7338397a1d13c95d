// When `clockshim run` and bench compare the CPUs' counters before they start a command: the
// command as a whole on a machine whose clocksource is made to look like another.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/machine/counter_evidence.h"
#include "on_acpi_pm.h"
#include "run_command.h"
#include "two_cpus.h"

namespace clockshim::cli {
namespace {

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
  const auto ending = test::on_acpi_pm(arguments, environment);
  if (!ending) return std::nullopt;
  std::ifstream file(folder.path("report.json"));
  return Told{nlohmann::json::parse(file, nullptr, false), ending->err};
}

constexpr const char* kCompared =
    "the CPUs' counters were compared before the start: they agree within ";

TEST(RunFindsEvidence, AndHandsItOver) {
  const auto told = program_on_acpi_pm({});
  if (!told) GTEST_SKIP() << "no mount namespace of our own here";
  if (!test::two_cpus()) GTEST_SKIP() << "no two CPUs to run on";
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
    const auto bench = test::on_acpi_pm({"bench", "--quick", "--json"});
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
