// The slow path of counting, with a region of its own: which site a call is counted under, as far
// as it is walked, and when there is no room for its site.
#include "callsite/chain_walker.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

#include "callsite/thread_counts.h"
#include "callsite_parts.h"

namespace clockshim {
namespace {

struct Parts {
  live::Region region{};
  KeyFilter known;
  CallCounts counts{region, known};
  SiteRegistry sites{region, known};
  PythonCallers python;
  FirstCalls first_calls{counts, sites, python};
  ChainWalker walker{counts, sites, python};

  std::vector<const live::SiteRecord*> records() {
    std::vector<const live::SiteRecord*> all;
    sites.for_each([&](live::SiteRecord& site) { all.push_back(&site); });
    return all;
  }
  std::uint64_t total(SiteKey key) {
    const auto all = counts_in(region);
    const auto found = all.find(key.raw());
    return found == all.end() ? 0 : found->second;
  }
};

class ChainWalkerTest : public ::testing::Test {
 protected:
  // On a thread of its own, which gets its table in this test's region.
  template <class F>
  void on_new_thread(F f) {
    std::thread([&] {
      f();
      ThreadCounts::detach();
    }).join();
  }

  // Kept until the process ends, because the memos of a thread's table point into the region.
  static Parts& new_parts() {
    static std::vector<std::unique_ptr<Parts>> all;
    return *all.emplace_back(std::make_unique<Parts>());
  }

  Parts& parts_ = new_parts();
};

// As the exported functions do it: the frame of the caller.
[[gnu::noinline]] void read_clock(Parts& parts) {
  const auto* const own = static_cast<const std::uintptr_t*>(__builtin_frame_address(0));
  const auto pc = reinterpret_cast<std::uintptr_t>(__builtin_return_address(0));
  parts.walker.count(key_of(pc), Frame{pc, reinterpret_cast<std::uintptr_t>(own + 2), own[0]});
  asm volatile("");
}
[[gnu::noinline]] void behind(Parts& parts) {
  read_clock(parts);
  asm volatile("");
}
[[gnu::noinline]] void one_caller(Parts& parts) {
  behind(parts);
  asm volatile("" ::"r"(1));
}
[[gnu::noinline]] void another_caller(Parts& parts) {
  behind(parts);
  asm volatile("" ::"r"(2));
}
void call_both(Parts& parts) {
  for (int i = 0; i < 5; ++i) {
    one_caller(parts);
    another_caller(parts);
  }
}

TEST_F(ChainWalkerTest, OneFrameIsTheSiteIfNothingIsWalked) {
  on_new_thread([&] { call_both(parts_); });
  const auto sites = parts_.records();
  ASSERT_EQ(sites.size(), 1U);
  EXPECT_EQ(sites[0]->exact_frames, 1);
  EXPECT_GT(sites[0]->frames, 2) << "the stack of the first call is kept behind it";
  EXPECT_EQ(parts_.total(SiteKey{sites[0]->key.load()}), 10U);
}

TEST_F(ChainWalkerTest, CallersAreToldApartAsDeepAsIsWalked) {
  parts_.walker.walk_always(1);
  on_new_thread([&] { call_both(parts_); });
  const auto sites = parts_.records();
  ASSERT_EQ(sites.size(), 2U);
  EXPECT_EQ(sites[0]->pc[0], sites[1]->pc[0]);
  EXPECT_NE(sites[0]->pc[1], sites[1]->pc[1]);
  for (const auto* const site : sites) {
    EXPECT_EQ(site->exact_frames, 2);
    EXPECT_EQ(parts_.total(SiteKey{site->key.load()}), 5U);
    EXPECT_EQ(site->key.load(), key_of(site->pc[0]).behind(site->pc[1]).raw());
  }
}

TEST_F(ChainWalkerTest, NoMoreThanSixFramesAreWalked) {
  parts_.walker.walk_always(1000);
  on_new_thread([&] { call_both(parts_); });
  const auto sites = parts_.records();
  ASSERT_EQ(sites.size(), 2U);
  for (const auto* const site : sites) {
    EXPECT_LE(site->exact_frames, ChainWalker::kMaxWalked + 1);
    EXPECT_GT(site->exact_frames, 2);
    EXPECT_EQ(parts_.total(SiteKey{site->key.load()}), 5U);
  }
}

TEST_F(ChainWalkerTest, WhenThereIsNoMoreRoomCallsAreCountedTogether) {
  on_new_thread([&] {
    // All frames are in no module: generated code gets one half.
    for (std::uintptr_t pc = 0x1000; pc < 0x1000 + 2 * live::kSites; ++pc)
      parts_.walker.count(key_of(pc), nowhere(pc));
  });
  EXPECT_EQ(parts_.records().size(), SiteRegistry::kForGenerated);
  const SiteKey generated{SiteKey::kGeneratedCode, CLOCK_MONOTONIC, Function::clock_gettime};
  EXPECT_EQ(parts_.total(generated), 2 * live::kSites - SiteRegistry::kForGenerated);
  std::uint64_t sum = 0;
  for (const auto& [key, count] : counts_in(parts_.region)) sum += count;
  EXPECT_EQ(sum, 2 * live::kSites) << "no call is lost";
}

TEST_F(ChainWalkerTest, FullTablesFoldChainsUnderTheirWrapperAndCallersUnderOthers) {
  std::uint64_t calls = 0;
  std::thread([&] {  // it has no table
    const Frame chain[] = {nowhere(0x900000), nowhere(0x900001)};
    while (!parts_.sites.crowded()) {
      parts_.first_calls.count_new(key_of(0x10000 + calls), chain, 1, nullptr);
      ++calls;
    }
    const SiteKey long_key = key_of(0x900000).behind(0x900001);
    EXPECT_TRUE(parts_.first_calls.count_without_site(long_key, chain, 2));
    EXPECT_TRUE(parts_.first_calls.count_without_site(long_key, chain, 2));
    calls += 2;
    EXPECT_EQ(parts_.total(key_of(0x900000).behind(0)), 2U) << "under the wrapper";
    while (!parts_.sites.full()) {
      parts_.first_calls.count_new(key_of(0x10000 + calls), chain, 1, nullptr);
      ++calls;
    }
    EXPECT_TRUE(parts_.first_calls.count_without_site(key_of(0xabcdef), chain, 1));
    ++calls;
    EXPECT_FALSE(parts_.first_calls.count_without_site(key_of(0x10000), chain, 1))
        << "it has a site";
  })
      .join();
  const SiteKey others{SiteKey::kOtherCallers, CLOCK_MONOTONIC, Function::clock_gettime};
  EXPECT_GE(parts_.total(others), 1U);
  std::uint64_t sum = 0;
  for (const auto& [key, count] : counts_in(parts_.region)) sum += count;
  EXPECT_EQ(sum, calls) << "no call is lost";
}

}  // namespace
}  // namespace clockshim
