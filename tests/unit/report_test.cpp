// The two renderings: 100 columns for people, valid JSON with the fixed keys for programs, odd names included.
#include "report/report.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "report/symbols.h"

namespace clockshim {
namespace {

Report sample() {
  Report r;
  r.version = "1";
  r.program = "daemon \"x\"\n\xff";
  r.pid = 42;
  r.seconds = 2;
  r.clocksource = "tsc";
  r.mode = "coherent";
  r.mode_reason = "because";
  r.order = "strict";
  r.profile = "sites";
  r.tolerance_ns = 10'000;
  r.clocks = {{"realtime", 1'000'000, 999'000, 1000, 7}, {"monotonic_coarse", 50, 0, 50, 0}};
  r.samples = 7;
  r.max_ns = 88;
  for (int i = 0; i < 25; ++i) {
    ReportSite site;
    site.calls = static_cast<std::uint64_t>(1000 - i);
    site.clock = "monotonic_coarse";
    site.function = "clock_gettime";
    site.frames = {{"std::chrono::_V2::steady_clock::now()", "/usr/lib/libstdc++.so.6", 100, 5},
                   {std::string(200, 'n') + "tail", "/opt/a/very/long/path/libwithaverylongname.so.1.2.3", 200, 6}};
    site.exact_frames = 2;
    r.sites.push_back(site);
  }
  return r;
}

TEST(Text, FitsIntoAHundredColumns) {
  std::istringstream lines(render_text(sample()));
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 100U) << line;
}

TEST(Text, ShowsTwentyCallersAndSumsTheRest) {
  const std::string text = render_text(sample());
  EXPECT_NE(text.find("5 more callers"), std::string::npos) << text;
  EXPECT_NE(text.find("calls 1,000,050  served 999,000 (99.90 %)  real 1,050  resyncs 7"), std::string::npos) << text;
  EXPECT_NE(text.find("via std::chrono::_V2::steady_clock::now()"), std::string::npos) << text;
}

TEST(Json, ParsesAndHasTheFixedKeys) {
  const auto json = nlohmann::json::parse(render_json(sample()));
  EXPECT_EQ(json["schema_version"], 1);
  for (const char* key :
       {"program", "pid", "clocksource", "mode", "mode_reason", "tolerance_ns", "clocks", "accuracy", "disturbances", "dropped", "sites"}) {
    EXPECT_TRUE(json.contains(key)) << key;
  }
  EXPECT_EQ(json["clocks"]["realtime"]["served"], 999'000);
  EXPECT_EQ(json["clocks"]["realtime"]["resyncs"], 7);
  EXPECT_EQ(json["accuracy"]["max_ns"], 88);
  ASSERT_EQ(json["sites"].size(), 25U);
  EXPECT_EQ(json["sites"][0]["frames"][0]["symbol"], "std::chrono::_V2::steady_clock::now()");
  EXPECT_EQ(json["sites"][0]["sampled"], false);
  for (const char* key : {"symbol", "module", "offset", "file", "line"}) EXPECT_TRUE(json["sites"][0]["frames"][0].contains(key)) << key;
}

TEST(Json, AReportOfNothingIsValidToo) { EXPECT_TRUE(nlohmann::json::parse(render_json(Report{}))["sites"].empty()); }

TEST(Symbols, FindsAFunctionOfThisProgramAndNothingInNonsense) {
  Symbols symbols;
  EXPECT_EQ(symbols.at("/nonexistent", 5).name, "");
  EXPECT_EQ(symbols.at("/etc/passwd", 5).name, "");
  const SymbolName none = symbols.at("/proc/self/exe", 0x7fffffffffff);
  EXPECT_EQ(none.name, "");
}

}  // namespace
}  // namespace clockshim
