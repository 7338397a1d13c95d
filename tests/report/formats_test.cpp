// What programs read: metrics, folded stacks, profiles; and how formats are found.
#include <gtest/gtest.h>

#include <sstream>

#include "../support/text.h"
#include "formats/formats.h"
#include "reports.h"

namespace clockshim {
namespace {

using test::count_of;
using test::expect_contains;
using test::frame;
using test::site;
using test::small_report;

TEST(Formats, SeveralReportsInOneText) {
  const Reports two{small_report(1), small_report(2)};
  for (const Format& format : formats()) {
    if (format.merges || format.binary) continue;
    const std::string text = format.render(two, {});
    if (format.name == std::string("json") || format.name == std::string("openmetrics") ||
        format.name == std::string("prometheus")) {
      expect_contains(text, "1");
    } else {
      expect_contains(text, "daemon[1]");
      expect_contains(text, "daemon[2]");
    }
  }
  const std::string metrics = render_openmetrics(two, {});
  EXPECT_EQ(metrics.find("# EOF"), metrics.size() - 6);
  expect_contains(metrics,
                  "clockshim_dropped_total{program=\"daemon\",pid=\"1\"} "
                  "0\nclockshim_dropped_total{program=\"daemon\",pid=\"2\"} 0\n");
}

TEST(Prometheus, HasTheSameSamplesAndNoNameWithoutOne) {
  Report r = small_report();
  r.samples = 0;
  const auto sample_lines = [](const std::string& text) {
    std::istringstream lines(text);
    std::string out;
    for (std::string line; std::getline(lines, line);) {
      if (!line.starts_with('#')) out += line + "\n";
    }
    return out;
  };
  const std::string text = render_prometheus({r}, {});
  EXPECT_EQ(sample_lines(text), sample_lines(render_openmetrics({r}, {})));
  expect_contains(text, "# TYPE clockshim_dropped_total counter\nclockshim_dropped_total{");
  EXPECT_EQ(text.find("clockshim_error_seconds"), std::string::npos) << "nothing was measured";
  expect_contains(render_openmetrics({r}, {}), "# TYPE clockshim_error_seconds gauge\n");
  EXPECT_EQ(render_prometheus({}, {}), "");
}

TEST(OpenMetrics, OfOneProcessTheLatestReportCounts) {
  Report earlier = small_report();
  Report later = small_report();
  later.seconds = 3;
  later.dropped = 7;
  const std::string metrics = render_openmetrics({later, earlier}, {});
  expect_contains(metrics, "clockshim_dropped_total{program=\"daemon\",pid=\"42\"} 7\n");
  EXPECT_EQ(metrics.find("\nclockshim_dropped_total"), metrics.rfind("\nclockshim_dropped_total"))
      << "once";
}

TEST(OpenMetrics, CallersAreBounded) {
  Report r = small_report();
  r.sites.clear();
  for (std::uint64_t i = 0; i < 5000; ++i)
    r.sites.push_back(
        site(10'000 - i, "realtime", {frame("f" + std::to_string(i), "/bin/daemon", i)}));
  r.sites.push_back(site(5, "realtime", {frame("f0", "/bin/daemon", 77)}));
  const std::string metrics = render_openmetrics({r}, {});
  expect_contains(metrics, "caller=\"f0\",module=\"daemon\",sampled=\"false\"} 10005\n");
  EXPECT_EQ(metrics.find("caller=\"f100\""), std::string::npos);
  expect_contains(metrics, "caller=\"other\"");
}

TEST(Formats, FoldedHasASemicolonBetweenFramesOnly) {
  Report r = small_report();
  r.program = "a;b";
  r.sites = {site(7, "real;time", {frame("f;g", "/bin/daemon", 1)})};
  EXPECT_EQ(render_folded({r}, {}), "a:b[42];f:g;clock_gettime(real:time) 7\n");
}

TEST(Formats, RecursionCostsOnceInCallgrind) {
  Report r = small_report();
  const ReportFrame a = frame("a", "/bin/daemon", 1);
  r.sites = {site(7, "realtime", {a, frame("b", "/bin/daemon", 2), a, a}, 4)};
  EXPECT_EQ(count_of(render_callgrind({r}, {}), "calls=7"), 2U)
      << "a asks, b calls a; a calls b only on the way to a";
}

TEST(Formats, AreFoundByName) {
  EXPECT_EQ(find_format("pprof")->name, std::string("pprof"));
  EXPECT_EQ(find_format("Pprof"), nullptr);
  EXPECT_EQ(find_format(""), nullptr);
}

}  // namespace
}  // namespace clockshim
