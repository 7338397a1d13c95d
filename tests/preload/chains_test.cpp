// Why: a helper that asks for everybody is one line in a profile unless its callers are told apart.
// With CLOCKSHIM_DEPTH they are, at each call; a chain that is told wrongly would be worse than
// none, so it has to be exact whatever the frames look like.
#include <gtest/gtest.h>

#include "run_host.h"

namespace clockshim::test {
namespace {

using Chains = std::map<std::string, long>;  // "innermost<next<..." of the exact frames: calls

Chains chains_of(const Json& report) {
  Chains chains;
  for (const auto& site : report.at("sites")) {
    std::string chain;
    for (std::size_t i = 0; i < site.at("exact_frames").get<std::size_t>(); ++i) {
      const Json& symbol = site.at("frames")[i].at("symbol");
      chain += (i == 0 ? "" : "<") + (symbol.is_null() ? "?" : symbol.get<std::string>());
    }
    chains[chain] += site.at("calls").get<long>();
  }
  return chains;
}

HostRun chains(const std::string& host, const std::string& how, const std::string& depth,
               const std::string& profile = "sites") {
  HostRun run =
      run_host(host, {.arguments = {how},
                      .environment = {{"CLOCKSHIM_DEPTH", depth}, {"CLOCKSHIM_PROFILE", profile}},
                      .report = true});
  EXPECT_EQ(run.ending(), "exit 0") << run.out << run.err;
  expect_exact_counts(run, 1);
  return run;
}

const Json& report_of(const HostRun& run) { return run.reports.begin()->second; }

class Depth : public testing::TestWithParam<std::string> {};

TEST_P(Depth, NoneTellsTheCallerAlone) {
  const HostRun run = chains(GetParam(), "callers", "0");
  EXPECT_EQ(chains_of(report_of(run)), (Chains{{"asks_for_somebody", 12'600}}));
}

TEST_P(Depth, OneTellsCallersOfTheCallerApart) {
  const HostRun run = chains(GetParam(), "callers", "1");
  EXPECT_EQ(chains_of(report_of(run)), (Chains{{"asks_for_somebody<first_caller", 3'100},
                                               {"asks_for_somebody<second_caller", 7'000},
                                               {"asks_for_somebody<varying_caller", 2'000},
                                               {"asks_for_somebody<large_caller", 500}}));
}

// Also with samples being taken, which sends each call the long way.
TEST_P(Depth, TwoTellsTheirsApart) {
  for (const char* profile : {"sites", "stacks:7"}) {
    const HostRun run = chains(GetParam(), "callers", "2", profile);
    EXPECT_EQ(chains_of(report_of(run)), (Chains{{"asks_for_somebody<first_caller<main", 3'000},
                                                 {"asks_for_somebody<first_caller<outer", 100},
                                                 {"asks_for_somebody<second_caller<main", 7'000},
                                                 {"asks_for_somebody<varying_caller<main", 2'000},
                                                 {"asks_for_somebody<large_caller<main", 500}}))
        << profile;
  }
}

// Ten thousand frames of one function, three times: the same chain from another place on the stack
// each time.
TEST_P(Depth, DeepRecursion) {
  const HostRun run = chains(GetParam(), "recursive", "6");
  const Chains told = chains_of(report_of(run));
  std::string whole = "asks_for_somebody";
  for (int i = 0; i < 6; ++i) whole += "<recursive";
  EXPECT_EQ(told.at(whole), 3L * 9'995) << report_of(run).dump(1);
  long at_the_top = 0;
  for (const auto& [chain, calls] : told)
    at_the_top += chain.starts_with("asks_for_somebody<recursive<main") ? calls : 0;
  EXPECT_EQ(at_the_top, 3) << report_of(run).dump(1);
}

// The frame that the kernel made for the handler can't be walked out of by a rule: the chain ends
// there, exactly.
TEST_P(Depth, SignalFrameEndsAChain) {
  const HostRun run = chains(GetParam(), "signal", "3");
  long handled = 0;
  for (const auto& [chain, calls] : chains_of(report_of(run)))
    handled += chain.find("<asks_in_handler") != std::string::npos ? calls : 0;
  EXPECT_EQ(handled, 2'000) << report_of(run).dump(1);
  EXPECT_EQ(calls_from(report_of(run), "first_caller", 3), 500);
}

// A large frame is left only where it is certain that the stack reaches as far. That it was not
// once doesn't hold for other threads.
TEST_P(Depth, StackOfUnknownSizeEndsAChainForOnce) {
  const HostRun run = chains(GetParam(), "other-stack", "2");
  EXPECT_EQ(chains_of(report_of(run)),
            (Chains{{"asks_for_somebody<large_caller", 100},
                    {"asks_for_somebody<large_caller<large_in_thread", 400}}));
}

TEST_P(Depth, GeneratedCodeKeepsItsAddress) {
  const HostRun run = chains(GetParam(), "generated", "2");
  const Json& sites = report_of(run).at("sites");
  ASSERT_EQ(sites.size(), 1U) << report_of(run).dump(1);
  EXPECT_EQ(sites[0].at("calls"), 4'000);
  ASSERT_EQ(sites[0].at("frames").size(), 1U)
      << "nothing is known of the frames behind code without unwind tables";
  EXPECT_TRUE(sites[0].at("frames")[0].at("module").is_null());
  EXPECT_EQ(sites[0].at("frames")[0].at("offset").get<long>(),
            numbers_by_process(run, "returns").begin()->second);
}

// More than the tables hold: those that there is no room for are counted under the caller alone,
// and none is dropped. Where they stand in the tables is chance: so it is tried some times.
TEST_P(Depth, MoreChainsThanThereIsRoomFor) {
  for (int turn = 0; turn < 10; ++turn) {
    const HostRun run = chains(GetParam(), "many", "1");
    EXPECT_EQ(calls_from(report_of(run), "asks_for_somebody"), 6'000) << report_of(run).at("notes");
    EXPECT_GT(chains_of(report_of(run))["asks_for_somebody"], 0)
        << "there was room for all: make the host larger";
  }
}

INSTANTIATE_TEST_SUITE_P(InEveryBuild, Depth,
                         testing::Values("chains_frame_pointer", "chains_no_frame_pointer",
                                         "chains_unoptimised"));

}  // namespace
}  // namespace clockshim::test
