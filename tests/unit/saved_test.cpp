// What serving has saved: the arithmetic, and the words where there is nothing to tell.
#include "report/saved.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

namespace clockshim {
namespace {

ReportClock clock_of(double real_ns, double served_ns, std::uint64_t served = 1'000'000,
                     std::uint64_t resyncs = 0) {
  ReportClock clock{"realtime", served, served, 0, resyncs, real_ns, served_ns};
  clock.saved_ns = saved_ns_of(clock);
  return clock;
}

Report report_of(const ReportClock& clock) {
  Report r;
  r.seconds = 4;
  r.profile = "sites";
  r.mode = "coherent";
  r.clocks = {clock};
  return r;
}

TEST(Saved, IsTheDifferenceForEachCallLessARealCallForEachResync) {
  EXPECT_EQ(saved_ns_of(clock_of(2025, 25)), 2'000'000'000);
  EXPECT_EQ(saved_ns_of(clock_of(2025, 25, 1'000'000, 1000)), 2'000'000'000 - 2'025'000);
}

TEST(Saved, IsNeverNegative) {
  EXPECT_EQ(saved_ns_of(clock_of(2000, 25, 10, 11)), 0) << "the resyncs have cost more";
  EXPECT_EQ(saved_ns_of(clock_of(25, 2000)), 0);
  EXPECT_EQ(saved_ns_of(clock_of(2000, 25, 0, 5)), 0);
  EXPECT_EQ(saved_ns_of(clock_of(2000, 0)), 0) << "not measured";
  EXPECT_EQ(saved_ns_of(clock_of(0, 25)), 0);
  EXPECT_GT(saved_ns_of(clock_of(1e6, 1, UINT64_MAX)), 0) << "nor does it overflow";
}

TEST(Saved, NoiseBetweenTwoCheapClocksIsNothing) {
  EXPECT_EQ(saved_ns_of(clock_of(40, 22)), 0);
  EXPECT_EQ(saved_ns_of(clock_of(70, 22)), 0);
  EXPECT_GT(saved_ns_of(clock_of(90, 22)), 0) << "a bare system call";
  EXPECT_EQ(saved_ns_of(clock_of(2300, 2000)), 0) << "where each reading of the counter traps";
  EXPECT_GT(saved_ns_of(clock_of(5000, 2000)), 0);
}

TEST(Saved, IsSpreadOverTheCallersOfItsClock) {
  Report r = report_of(clock_of(2025, 25));
  ReportSite site;
  site.clock = "realtime";
  site.calls = 250'000;
  EXPECT_EQ(saved_ns(r), 2'000'000'000);
  EXPECT_DOUBLE_EQ(saved_share(r), 0.5);
  EXPECT_EQ(saved_ns(r, site), 500'000'000);
  site.clock = "monotonic";
  EXPECT_EQ(saved_ns(r, site), 0);
}

TEST(SavedLine, SaysHowMuchAndHowThatIsKnown) {
  EXPECT_EQ(saved_line(report_of(clock_of(2025, 25))),
            "CPU saved: 2.00 s, 50.0 % of a core (timed in this process: real call 2.02 us, served "
            "25.0 ns)");
}

TEST(SavedLine, SaysWhyThereIsNothing) {
  const auto how = [](const Report& r) { return saved_line(r).substr(11); };
  EXPECT_EQ(how(report_of(clock_of(31, 27))),
            "nothing, the clock is cheap here (real call 31.0 ns, served 27.0 ns); the counts are "
            "yours");
  EXPECT_EQ(how(report_of(clock_of(2000, 25, 10, 11))),
            "nothing, too few calls between resyncs (real call 2.00 us, served 25.0 ns)");

  Report r = report_of(clock_of(0, 0, 50));
  EXPECT_EQ(how(r), "unknown, it ended before the cost of a call was measured");
  r.state = "running";
  EXPECT_EQ(how(r), "not known yet, no call was timed so far");

  r.clocks = {{"realtime", 2, 0, 2, 0}};
  EXPECT_EQ(how(r), "nothing yet, the clock's rate was not measured so far");
  r.state = "lost";
  EXPECT_EQ(how(r), "nothing, it ended before the clock's rate was measured");
  r.clocks[0].unreachable = true;
  EXPECT_EQ(how(r), "nothing, no call was served");
  r.clocks = {{"realtime", 5000, 0, 5000, 0}};
  EXPECT_EQ(how(r), "nothing, no call was served");
  r.seconds = 0.5;
  EXPECT_EQ(how(r), "nothing, it ended before the clock's rate was measured");
  r.clocks = {{"thread_cputime", 5000, 0, 5000, 0}};
  EXPECT_EQ(how(r), "nothing, no clock was read that can be served");
  r.mode = "passthrough";
  EXPECT_EQ(how(r), "nothing, all calls went to the real clock");
  r.profile = "off";
  EXPECT_EQ(how(r), "unknown, calls are not counted");
}

TEST(SavedTable, HasAColumnWhereThereIsSomethingAndFitsIntoAHundredColumns) {
  Report r = report_of(clock_of(2025, 25));
  for (int i = 0; i < 25; ++i) {
    ReportSite site;
    site.calls = 40'000;
    site.clock = i == 0 ? "monotonic_coarse" : "realtime";
    site.function = "clock_gettime";
    site.frames = {{std::string(200, 'n') + "tail",
                    "/opt/a/very/long/path/libwithaverylongname.so.1.2.3", 200, 6}};
    r.sites.push_back(site);
  }
  const std::string text = render_text(r);
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 100U) << line;
  EXPECT_NE(text.find("       calls   share      calls/s    saved  clock            caller"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("       40,000    4.0%       10,000  80.0 ms  realtime         nnn"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("       40,000    4.0%       10,000        -  monotonic_coarse"),
            std::string::npos)
      << text;
  r.clocks = {clock_of(31, 27)};
  EXPECT_EQ(render_text(r).find(" saved  "), std::string::npos) << render_text(r);
}

TEST(SavedJson, HasTheFigures) {
  const auto json = nlohmann::json::parse(render_json(report_of(clock_of(2025, 25))));
  EXPECT_EQ(json["cpu_saved_ns"], 2'000'000'000);
  EXPECT_EQ(json["cpu_saved_share"], 0.5);
  EXPECT_EQ(json["cpu_saved_how"], "timed in this process: real call 2.02 us, served 25.0 ns");
  EXPECT_EQ(json["clocks"]["realtime"]["real_call_ns"], 2025);
  EXPECT_EQ(json["clocks"]["realtime"]["served_call_ns"], 25);
  EXPECT_EQ(json["clocks"]["realtime"]["saved_ns"], 2'000'000'000);
  const auto unknown = nlohmann::json::parse(render_json(report_of(clock_of(0, 0))));
  EXPECT_TRUE(unknown["clocks"]["realtime"]["real_call_ns"].is_null());
  EXPECT_EQ(unknown["cpu_saved_ns"], 0);
}

TEST(ShortTime, HasThreeDigits) {
  EXPECT_EQ(short_time(0), "0.00 ns");
  EXPECT_EQ(short_time(9.996), "10.0 ns");
  EXPECT_EQ(short_time(999.4), "999 ns");
  EXPECT_EQ(short_time(999.6), "1.00 us");
  EXPECT_EQ(short_time(12'345'678), "12.3 ms");
  EXPECT_EQ(short_time(1.5e9), "1.50 s");
  EXPECT_EQ(short_time(1.23456e13), "12,346 s");
}

}  // namespace
}  // namespace clockshim
