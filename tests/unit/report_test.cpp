// The two renderings: 100 columns for people, valid JSON with the fixed keys for programs, odd
// names included.
#include "report/report.h"

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <link.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <sstream>

#include "os/error_text.h"
#include "report/elf_symbols.h"

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
                   {std::string(200, 'n') + "tail",
                    "/opt/a/very/long/path/libwithaverylongname.so.1.2.3", 200, 6}};
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
  EXPECT_NE(text.find("calls 1,000,050  served 999,000 (99.90 %)  real 1,050  resyncs 7"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("via std::chrono::_V2::steady_clock::now()"), std::string::npos) << text;
}

TEST(Json, ParsesAndHasTheFixedKeys) {
  const auto json = nlohmann::json::parse(render_json(sample()));
  EXPECT_EQ(json["schema_version"], 1);
  for (const char* key : {"program", "pid", "clocksource", "mode", "mode_reason", "tolerance_ns",
                          "clocks", "accuracy", "disturbances", "dropped", "sites"}) {
    EXPECT_TRUE(json.contains(key)) << key;
  }
  EXPECT_EQ(json["clocks"]["realtime"]["served"], 999'000);
  EXPECT_EQ(json["clocks"]["realtime"]["resyncs"], 7);
  EXPECT_EQ(json["accuracy"]["max_ns"], 88);
  ASSERT_EQ(json["sites"].size(), 25U);
  EXPECT_EQ(json["sites"][0]["frames"][0]["symbol"], "std::chrono::_V2::steady_clock::now()");
  EXPECT_EQ(json["sites"][0]["sampled"], false);
  for (const char* key : {"symbol", "module", "offset", "file", "line"})
    EXPECT_TRUE(json["sites"][0]["frames"][0].contains(key)) << key;
}

TEST(Json, AReportOfNothingIsValidToo) {
  EXPECT_TRUE(nlohmann::json::parse(render_json(Report{}))["sites"].empty());
}

// A function of this program's own, found by where the linker has put it.
extern "C" __attribute__((noinline, used)) int clockshim_test_named_function(int x) {
  asm("" : "+r"(x));
  return x + 1;
}

std::uint64_t offset_in_this_program(const void* address) {
  dl_find_object found;
  EXPECT_EQ(_dl_find_object(const_cast<void*>(address), &found), 0);
  return reinterpret_cast<std::uintptr_t>(address) - found.dlfo_link_map->l_addr;
}

TEST(Symbols, FindsFunctionsOfThisProgramAndNothingInNonsense) {
  const Deadline later(Nanos{100 * kNanosPerSecond});
  std::vector<WantedSymbol> wanted{{0}, {5}, {0x7fffffffffff}, {UINT64_MAX}};
  for (const char* path : {"/nonexistent", "/etc/passwd", "/proc/self/exe", "/dev/zero", "/"}) {
    EXPECT_TRUE(find_symbols(path, wanted, true, later)) << path;
    for (const auto& symbol : wanted) EXPECT_EQ(symbol.name, "") << path << " " << symbol.at;
  }
  const std::uint64_t start =
      offset_in_this_program(reinterpret_cast<const void*>(&clockshim_test_named_function));
  std::vector<WantedSymbol> here{{start}, {start + 1}};
  EXPECT_TRUE(find_symbols("/proc/self/exe", here, true, later));
  for (const auto& symbol : here) {
    EXPECT_EQ(symbol.name, "clockshim_test_named_function");
    EXPECT_EQ(symbol.offset, symbol.at - start);
  }
  std::vector<WantedSymbol> cxx{
      {offset_in_this_program(reinterpret_cast<const void*>(&render_text))}};
  EXPECT_TRUE(find_symbols("/proc/self/exe", cxx, true, later));
  EXPECT_EQ(cxx[0].name.rfind("clockshim::render_text[abi:cxx11](clockshim::Report const&)", 0), 0U)
      << cxx[0].name;
  cxx[0].name.clear();
  EXPECT_TRUE(find_symbols("/proc/self/exe", cxx, false, later));
  EXPECT_EQ(cxx[0].name.rfind("_ZN9clockshim11render_text", 0), 0U) << cxx[0].name;
}

TEST(Symbols, StaysWithoutNamesWhereThereIsNoTime) {
  const std::uint64_t start =
      offset_in_this_program(reinterpret_cast<const void*>(&clockshim_test_named_function));
  std::vector<WantedSymbol> here{{start}};
  EXPECT_FALSE(find_symbols("/proc/self/exe", here, true, Deadline(Nanos{0})));
  EXPECT_EQ(here[0].name, "");
}

TEST(ErrorText, IsWhatTheCLibrarySays) {
  for (const int error :
       {EACCES, EFBIG, EISDIR, ENOENT, ENOSPC, ENOTDIR, ENXIO, EPERM, EPIPE, EROFS, ETIMEDOUT})
    EXPECT_EQ(error_text(error), strerrordesc_np(error));
  EXPECT_EQ(error_text(4711), "error 4711");
}

}  // namespace
}  // namespace clockshim
