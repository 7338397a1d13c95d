// A run of a host whose figures say something about served time: one that was passed through, or
// not served at all, would pass any such test and prove nothing. In which mode it was served, the
// report says; no test takes one for granted.
#pragma once

#include <gtest/gtest.h>
#include <sched.h>

#include <cstdlib>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "../support/temp_dir.h"
#include "run_host.h"

namespace clockshim::test {

struct ServedRun {
  HostRun run;
  Json report;  // of the process that was started, not of its children

  // What the hosts said after `word`. Fails the test where no process said it.
  [[nodiscard]] long number(const std::string& word) const {
    const auto said = numbers_by_process(run, word);
    if (said.empty())
      ADD_FAILURE() << "the host did not say \"" << word << "\":\n" << run.out << run.err;
    return said.empty() ? 0 : said.begin()->second;
  }
  [[nodiscard]] bool says(const std::string& word) const {
    return !numbers_by_process(run, word).empty();
  }
  [[nodiscard]] long tolerance_ns() const { return report.at("tolerance_ns").get<long>(); }
  [[nodiscard]] std::string mode() const {
    return report.at("mode").get<std::string>() + ", " +
           report.at("mode_reason").get<std::string>();
  }
};

// Nothing where the test is over: the host failed, or (skipped) the shim had a reason to pass
// through.
inline std::optional<ServedRun> run_served(const std::string& host,
                                           std::vector<std::string> arguments) {
  // The whole test may be run for counters that disagree: meson.build does so.
  const char* counters = std::getenv("TEST_COUNTERS");
  std::map<std::string, std::string> environment{
      {"CLOCKSHIM_ORDER", "strict"},
      {"CLOCKSHIM_COUNTERS", counters != nullptr ? counters : "auto"}};
  // Or for counters that differ by constants, which the library plants and a file tells it.
  const TempDir folder;
  if (const char* planted = std::getenv("TEST_OFFSETS"); planted != nullptr) {
    const HostRun saved =
        run_host(std::getenv("TEST_SAVE_COUNTERS"),
                 {.arguments = {folder.path("clockshim/counters"), planted}, .shim = false});
    EXPECT_EQ(saved.ending(), "exit 0") << saved.err;
    environment["XDG_RUNTIME_DIR"] = folder.path().string();
    environment["TEST_PLANTED"] = planted;
  }
  ServedRun served{
      run_host(host,
               {.arguments = std::move(arguments), .environment = environment, .report = true}),
      {}};
  if (served.run.ending() != "exit 0" || served.run.reports.empty()) {
    ADD_FAILURE() << host << ": " << served.run.ending() << ", " << served.run.reports.size()
                  << " reports\n"
                  << served.run.out << served.run.err;
    return {};
  }
  served.report = served.run.reports.begin()->second;
  if (served.report.at("mode") == "passthrough") {
    [&] { GTEST_SKIP() << "nothing is served here: " << served.mode(); }();
    return {};
  }
  if (std::getenv("TEST_OFFSETS") != nullptr && served.report.at("mode") != "aligned")
    ADD_FAILURE() << "not aligned: " << served.mode();
  long calls = 0;
  for (const auto& clock : served.report.at("clocks")) calls += clock.at("served").get<long>();
  EXPECT_GT(calls, 0) << "not one call was served: " << served.report.dump(1);
  return served;
}

inline int usable_cpus() {
  cpu_set_t set;
  return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

// Of an exchange (tests/hosts/exchange.h). Where other programs have the second CPU, handoffs get
// rare; so few prove nothing.
inline constexpr long kLeastHandoffs = 1'000;

inline void expect_ordered(const ServedRun& served) {
  EXPECT_GE(served.number("handoffs"), kLeastHandoffs)
      << "in " << served.number("readings") << " readings: the threads hardly met";
  EXPECT_EQ(served.number("backward"), 0)
      << "of " << served.number("readings") << " readings; the worst by " << served.number("worst")
      << " ns; " << served.mode();
}

}  // namespace clockshim::test
