// Why: programs that are not written in C ask through their own libraries, which are linked
// statically, or live in a virtual machine. What the report has to name is the program's own
// function.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "run_host.h"

namespace clockshim::test {
namespace {

std::string program(const char* variable) {
  const char* path = std::getenv(variable);
  return path != nullptr ? path : "";
}

std::size_t exact_frames(const Json& site) { return site.at("exact_frames").get<std::size_t>(); }

TEST(Languages, CxxWithItsLibraryLinkedStatically) {
  const HostRun run = run_host("callers_static_libstdcxx", {.report = true});
  ASSERT_EQ(run.ending(), "exit 0") << run.out << run.err;
  expect_exact_counts(run, 1);
  const Json& report = run.reports.begin()->second;
  EXPECT_EQ(calls_from(report, "asks_3000_times", 2), 3000) << report.dump(1);
  EXPECT_EQ(calls_from(report, "asks_7000_times", 2), 7000);
  EXPECT_EQ(calls_from(report, "asks_the_day_500_times", 2), 500);
  EXPECT_EQ(calls_from(report, "asks_directly_200_times", 1), 200);
  EXPECT_EQ(report.at("sites").size(), 4U);
}

// Without any name the wrapper is still found, in the shared library, and callers are told apart by
// their addresses.
TEST(Languages, StrippedCxx) {
  const HostRun run = run_host("callers_stripped", {.report = true});
  ASSERT_EQ(run.ending(), "exit 0") << run.out << run.err;
  expect_exact_counts(run, 1);
  std::map<long, std::string> modules;
  for (const auto& site : run.reports.begin()->second.at("sites")) {
    const Json& counted = site.at("frames")[exact_frames(site) - 1];
    EXPECT_TRUE(counted.at("symbol").is_null()) << site.dump(1);
    modules[site.at("calls")] =
        std::filesystem::path(counted.at("module").get<std::string>()).filename();
  }
  const std::string own = "callers_stripped";
  EXPECT_EQ(modules,
            (std::map<long, std::string>{{200, own}, {500, own}, {3000, own}, {7000, own}}));
}

TEST(Languages, Rust) {
  if (access(host_path("caller_rust").c_str(), X_OK) != 0)
    GTEST_SKIP() << "there was no rustc when the tests were built";
  const HostRun run = run_host("caller_rust", {.report = true});
  ASSERT_EQ(run.ending(), "exit 0") << run.out << run.err;
  expect_exact_counts(run, 1);
  const Json& report = run.reports.begin()->second;
  // Behind std::sys's Timespec::now, Instant::now and elapsed().
  constexpr std::size_t kFrames = 4;
  EXPECT_EQ(calls_from(report, "asks_3000_times", kFrames), 3000) << report.dump(1);
  EXPECT_EQ(calls_from(report, "asks_the_day_700_times", kFrames), 700);
  for (const auto& site : report.at("sites")) {
    const std::string counted = site.at("frames")[exact_frames(site) - 1].at("symbol");
    EXPECT_TRUE(counted.starts_with("asks_")) << site.dump(1);
  }
}

// What the virtual machine says where its compiled code is: "START SIZE NAME", hexadecimal.
struct PerfMap {
  struct Code {
    unsigned long start, size;
    std::string name;
  };
  std::vector<Code> all;

  explicit PerfMap(const std::string& path) {
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
      std::istringstream fields(line);
      Code code{};
      if (fields >> std::hex >> code.start >> code.size &&
          std::getline(fields >> std::ws, code.name))
        all.push_back(code);
    }
  }
  [[nodiscard]] std::string name_of(unsigned long address) const {
    for (const Code& code : all) {
      if (address - code.start < code.size) return code.name;
    }
    return "";
  }
};

PerfMap perf_map_of(long pid) {
  const std::string path = "/tmp/perf-" + std::to_string(pid) + ".map";
  PerfMap map(path);
  unlink(path.c_str());
  return map;
}

// The compiler knows the two methods of System and has its code call the virtual machine's clock
// directly.
TEST(Languages, JavaCompiledCode) {
  const std::string java = program("TEST_JAVA");
  if (java.empty() || access(host_path("Caller.class").c_str(), R_OK) != 0)
    GTEST_SKIP() << "there was no java and javac when the tests were built";
  const HostRun run = run_host(
      java,
      {.arguments = {"-Xcomp", "-XX:-TieredCompilation", "-XX:CompileCommand=quiet",
                     "-XX:CompileCommand=dontinline,Caller::*", "-XX:+UnlockDiagnosticVMOptions",
                     "-XX:+DumpPerfMapAtExit", "-cp", host_path("."), "Caller"},
       .report = true});
  ASSERT_EQ(run.ending(), "exit 0") << run.out << run.err;
  ASSERT_EQ(run.reports.size(), 1U);
  const auto& [pid, report] = *run.reports.begin();
  const PerfMap map = perf_map_of(pid);
  if (map.all.empty()) GTEST_SKIP() << "this java writes no perf map at its exit (17 and later do)";
  std::map<std::string, long> calls;
  for (const auto& site : report.at("sites")) {
    const Json& counted = site.at("frames")[exact_frames(site) - 1];
    if (counted.at("module").is_null())
      calls[map.name_of(counted.at("offset").get<unsigned long>() - 1)] +=
          site.at("calls").get<long>();
  }
  EXPECT_EQ(calls["long Caller.asks3000Times()"], 3000) << report.dump(1);
  EXPECT_EQ(calls["long Caller.asksTheDay7000Times()"], 7000) << report.dump(1);
  EXPECT_EQ(report.at("dropped"), 0);
}

}  // namespace
}  // namespace clockshim::test
