// Samples split exact counts and never replace them: sums are those of the sites, whatever was
// sampled.
#include "report/stack_shares.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "analysis/merge.h"
#include "formats/formats.h"
#include "report/frames.h"
#include "reports.h"

namespace clockshim {
namespace {

using test::frame;
using test::sampled_report;
using test::site;
using test::small_report;

// "clock<frame<frame": calls, with marks.
std::map<std::string, std::uint64_t> by_stack(const std::vector<ReportSite>& sites) {
  std::map<std::string, std::uint64_t> out;
  for (const ReportSite& each : sites) {
    std::string stack = each.clock;
    for (std::size_t i = 0; i < each.frames.size(); ++i)
      stack += "<" + function_name(each.frames[i]) + mark_of(each, i);
    out[stack] += each.calls;
  }
  return out;
}

std::uint64_t sum_of(const std::vector<ReportSite>& sites) {
  std::uint64_t sum = 0;
  for (const ReportSite& each : sites) sum += each.calls;
  return sum;
}

using Stacks = std::map<std::string, std::uint64_t>;

TEST(StackShares, SplitEachCallersOwnCount) {
  EXPECT_EQ(by_stack(split_by_stacks(sampled_report())),
            (Stacks{{"realtime<now()<work<main [sampled]", 583},
                    {"realtime<now()<work<serve [sampled]<main [sampled]", 417},
                    {"realtime<log<main [sampled]", 100},
                    {"monotonic<work", 30}}));
}

TEST(StackShares, StacksFittedTwiceAreAsFittedOnce) {
  Report r = sampled_report();
  fit_stacks(r);
  const Stacks once = by_stack(r.stacks);
  EXPECT_EQ(sum_of(r.stacks), 1100U);
  EXPECT_EQ(r.stacks[0].exact_frames, 2U);
  fit_stacks(r);
  EXPECT_EQ(by_stack(r.stacks), once);
  EXPECT_EQ(by_stack(split_by_stacks(r)), by_stack(split_by_stacks(sampled_report())));
}

// With CLOCKSHIM_DEPTH, or behind a wrapper that is a caller, too.
TEST(StackShares, StackIsOfTheSiteWithMostFramesInCommon) {
  Report r = small_report();
  const ReportFrame f = frame("f", "/a", 1);
  const ReportFrame g = frame("g", "/a", 2);
  const ReportFrame h = frame("h", "/a", 3);
  r.sites = {site(10, "realtime", {f, g, h}, 2), site(7, "realtime", {f, h}, 1)};
  r.stacks = {site(1, "realtime", {f, g, h}), site(1, "realtime", {f, g, g}),
              site(1, "realtime", {f, h}), site(50, "tai", {f, h}), site(50, "realtime", {h})};
  for (ReportSite& stack : r.stacks) stack.sampled = true;
  EXPECT_EQ(by_stack(split_by_stacks(r)), (Stacks{{"realtime<f<g<h [sampled]", 5},
                                                  {"realtime<f<g<g [sampled]", 5},
                                                  {"realtime<f<h [sampled]", 7}}));
}

TEST(StackShares, CallersWithoutASiteAreBehindTheOneThatStandsForThem) {
  Report r = small_report();
  const ReportFrame jit = frame("", "", 0x1000);
  const ReportFrame late = frame("late", "/a", 1);
  r.sites = {site(10, "realtime", {frame(kOtherCallers, "", 0)}),
             site(6, "realtime", {frame(kGeneratedCode, "", 0)})};
  r.stacks = {site(1, "realtime", {jit, late}), site(1, "realtime", {late})};
  for (ReportSite& stack : r.stacks) stack.sampled = true;
  const Stacks expected{
      {"realtime<other callers<late [sampled]", 10},
      {"realtime<generated code<generated code+0x1000 [sampled]<late [sampled]", 6}};
  EXPECT_EQ(by_stack(split_by_stacks(r)), expected);
  fit_stacks(r);
  EXPECT_EQ(by_stack(r.stacks), expected);
  EXPECT_EQ(by_stack(split_by_stacks(r)), expected) << "fitted again, no name is added";
}

TEST(StackShares, SumsAreExactWhateverWasSampled) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 200; ++round) {
    Report r = small_report();
    for (ReportSite& each : r.sites) each.calls = random() >> (2 + random() % 61);
    for (int i = 0; i < 20; ++i) {
      ReportSite stack = r.sites[random() % 3];
      stack.frames.push_back(frame("outer", "/a", random() % 5));
      stack.calls = random() % 7 == 0 ? UINT64_MAX : random() >> random() % 64;
      stack.sampled = true;
      r.stacks.push_back(stack);
    }
    Stacks callers;
    for (const ReportSite& each : split_by_stacks(r))
      callers[each.clock + function_name(caller_of(each))] += each.calls;
    for (const ReportSite& each : r.sites)
      EXPECT_EQ(callers[each.clock + function_name(caller_of(each))], each.calls);
  }
}

TEST(StackShares, OfMergedReportsAddUpToTheirCallers) {
  Report with = sampled_report();
  fit_stacks(with);
  const Report sum = merge({with, small_report(43)});
  EXPECT_EQ(sum_of(sum.stacks), 2200U);
  EXPECT_EQ(sum_of(split_by_stacks(sum)), 2260U);
}

TEST(StackShares, AreMarkedInFormats) {
  const std::string folded = render_folded({sampled_report()}, {});
  EXPECT_EQ(folded,
            "daemon[42];main [sampled];log;clock_gettime(realtime) 100\n"
            "daemon[42];main [sampled];serve [sampled];work;now();clock_gettime(realtime) 417\n"
            "daemon[42];main [sampled];work;now();clock_gettime(realtime) 583\n"
            "daemon[42];work;clock_gettime(monotonic) 30\n");
  const std::string tree = render_tree({sampled_report()}, {});
  EXPECT_NE(tree.find("          1,000   88.5%  │  │  └─ work  (daemon)\n"
                      "           ~583   51.6%  │  │     ├─ main  (daemon)\n"
                      "           ~417   36.9%  │  │     └─ serve  (daemon)\n"),
            std::string::npos)
      << tree;
  const std::string flames = render_flamegraph({sampled_report()}, {});
  EXPECT_NE(flames.find("1,130 calls. "), std::string::npos);
  EXPECT_NE(flames.find("class=\"f s\""), std::string::npos);
  EXPECT_NE(flames.find("about 583 calls"), std::string::npos);
  EXPECT_NE(render_callgrind({sampled_report()}, {}).find("\nsummary: 1130\n"), std::string::npos);
}

}  // namespace
}  // namespace clockshim
