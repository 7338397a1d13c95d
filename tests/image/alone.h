// Hosts into which the command puts the image when it starts them, and what their reports say.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "../preload/run_host.h"

namespace clockshim::test {

inline bool is_there(const std::string& host) { return std::filesystem::exists(host_path(host)); }

inline long served(const Json& report) {
  long sum = 0;
  for (const auto& clock : report.at("clocks")) sum += clock.at("served").get<long>();
  return sum;
}

// Calls of a function of the host's, behind whatever wrappers.
inline long calls_by(const Json& report, const std::string& function) {
  return calls_from(report, function, 8);
}

// The only report of a run.
inline Json report_of(const HostRun& run) {
  EXPECT_EQ(run.reports.size(), 1U) << run.out << run.err;
  return run.reports.empty() ? Json() : run.reports.begin()->second;
}

inline HostRun run_alone(const std::string& host, std::vector<std::string> arguments,
                         std::map<std::string, std::string> environment = {}) {
  HostRun run = run_host(
      host,
      {.arguments = std::move(arguments), .environment = std::move(environment), .report = true});
  EXPECT_EQ(run.err, "");
  return run;
}

}  // namespace clockshim::test
