// Why: a typing error in a unit file at night must neither stop the daemon nor go unseen. One line says which variable,
// which value and what would be right; the host runs on with real time and ends as it would have.
#include <gtest/gtest.h>

#include "run_host.h"

namespace clockshim::test {
namespace {

struct Bad {
  std::string name;
  std::string variable;
  std::string value;  // DIR: a directory that exists
};

std::size_t lines_with(const std::string& text, const std::string& first, const std::string& second) {
  std::size_t count = 0;
  for (const auto& line : lines_of(text)) {
    count += line.find(first) != std::string::npos && line.find(second) != std::string::npos ? 1 : 0;
  }
  return count;
}

// What the test's name shows; googletest would print the bytes.
void PrintTo(const Bad& bad, std::ostream* out) { *out << bad.variable << "=" << bad.value; }

class BadSettings : public testing::TestWithParam<Bad> {};

TEST_P(BadSettings, OneLineSaysSoAndTheHostRunsOn) {
  const TempDir directory;
  const auto& [name, variable, given] = GetParam();
  const auto place = given.find("DIR");
  const std::string value = place == std::string::npos ? given : std::string(given).replace(place, 3, directory.path().string());
  const HostRun run = run_host("asks", {.environment = {{variable, value}}});
  EXPECT_EQ(run.ending(), "exit 7");
  EXPECT_EQ(run.out, "asked\n");
  EXPECT_EQ(lines_with(run.err, variable, value), 1U) << "lines that name the variable and the value, in:\n" << run.err;
  std::size_t lines = 0;
  for (const auto& line : lines_of(run.err)) lines += line.rfind("clockshim: ", 0) == 0 ? 1 : 0;
  EXPECT_EQ(lines, 1U) << "lines that speak of trouble, in:\n" << run.err;
  EXPECT_NE(run.err.find("asks["), std::string::npos) << "no report on stderr:\n" << run.err;
}

INSTANTIATE_TEST_SUITE_P(OfEveryVariable, BadSettings,
                         testing::Values(Bad{"word", "CLOCKSHIM_TOLERANCE", "banana"}, Bad{"negative", "CLOCKSHIM_TOLERANCE", "-5ms"},
                                         Bad{"huge", "CLOCKSHIM_TOLERANCE", "1e99s"}, Bad{"empty", "CLOCKSHIM_TOLERANCE", ""},
                                         Bad{"no_unit", "CLOCKSHIM_TOLERANCE", "10"}, Bad{"nan", "CLOCKSHIM_TOLERANCE", "nan"},
                                         Bad{"spaces", "CLOCKSHIM_TOLERANCE", "10 us"}, Bad{"order", "CLOCKSHIM_ORDER", "random"},
                                         Bad{"order_empty", "CLOCKSHIM_ORDER", ""}, Bad{"profile", "CLOCKSHIM_PROFILE", "everything"},
                                         Bad{"clocks", "CLOCKSHIM_CLOCKS", "monotonic,sundial"},
                                         Bad{"clocks_empty", "CLOCKSHIM_CLOCKS", ""}, Bad{"follow", "CLOCKSHIM_FOLLOW", "maybe"},
                                         Bad{"log", "CLOCKSHIM_LOG", "loud"},
                                         Bad{"report_missing_directory", "CLOCKSHIM_REPORT", "DIR/missing/report.json"},
                                         Bad{"report_directory", "CLOCKSHIM_REPORT", "DIR"}, Bad{"report_empty", "CLOCKSHIM_REPORT", ""},
                                         Bad{"report_full", "CLOCKSHIM_REPORT", "/dev/full"}),
                         [](const auto& bad) { return bad.param.name; });

}  // namespace
}  // namespace clockshim::test
