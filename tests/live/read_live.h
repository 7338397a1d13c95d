// A region read back, as the tests of the reader need it.
#pragma once

#include <gtest/gtest.h>

#include <span>
#include <string>

#include "live_region.h"
#include "report/read_live.h"

namespace clockshim {

inline constexpr std::uintptr_t kModule = 0x7f0000000000;
inline constexpr std::uintptr_t kCaller = kModule + 0x1234;
inline const SiteKey kRealtime(kCaller, CLOCK_REALTIME, Function::clock_gettime);
inline const SiteKey kMonotonic(kCaller, CLOCK_MONOTONIC, Function::clock_gettime);

inline Report read(const LiveRegion& region, Nanos now = Nanos{}) {
  Report report;
  std::string problem;
  EXPECT_TRUE(read_live(region.bytes(), report, problem, now)) << problem;
  return report;
}

inline std::string refusal(std::span<const std::byte> bytes) {
  Report report;
  std::string problem;
  EXPECT_FALSE(read_live(bytes, report, problem));
  return problem;
}

inline const ReportClock& clock_of(const Report& report, const std::string& name) {
  for (const auto& clock : report.clocks) {
    if (clock.name == name) return clock;
  }
  static const ReportClock none;
  ADD_FAILURE() << "no clock " << name;
  return none;
}

inline bool has_note(const Report& report, const std::string& part) {
  for (const auto& note : report.notes) {
    if (note.find(part) != std::string::npos) return true;
  }
  return false;
}

}  // namespace clockshim
