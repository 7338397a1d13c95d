// Counting as the exported functions do it: exact, per thread, with a full table's calls going to
// the shared one. The parts have tests of their own, beside this one.
#include "callsite/call_sites.h"

#include <gtest/gtest.h>

#include <latch>
#include <map>
#include <thread>
#include <vector>

#include "callsite/thread_counts.h"
#include "callsite_parts.h"
#include "live/region.h"

namespace clockshim {
namespace {

void call(std::uintptr_t pc) {
  if (!ThreadCounts::count_again(key_of(pc))) g_sites.count(key_of(pc), nowhere(pc));
}

TEST(CallSites, CountsEveryCallOnce) {
  const auto before = counts_in(live::g_region);
  for (int i = 0; i < 1000; ++i) call(0x111000 + static_cast<std::uintptr_t>(i % 7));
  const auto after = counts_in(live::g_region);
  std::uint64_t sum = 0;
  for (const auto& [k, n] : after) sum += n - (before.count(k) ? before.at(k) : 0);
  EXPECT_EQ(sum, 1000U);
  EXPECT_EQ(after.at(key_of(0x111000).raw()), 143U);
}

TEST(CallSites, MoreSitesThanATableHoldsAreStillExact) {
  std::thread([] {
    for (int round = 0; round < 3; ++round) {
      for (std::uintptr_t pc = 0; pc < 250; ++pc) call(0x222000 + pc);
    }
  }).join();
  const auto after = counts_in(live::g_region);
  for (std::uintptr_t pc = 0; pc < 250; ++pc)
    ASSERT_EQ(after.at(key_of(0x222000 + pc).raw()), 3U) << pc;
  EXPECT_EQ(live::g_region.shared.dropped.load(), 0U);
}

// Why: else a caller that one full table had no room for would be counted in the shared table by
// all threads that see it later, each time by a locked exchange, and nobody could tell whose calls
// they are.
TEST(CallSites, WhatOthersCountInTheSharedTableAThreadWithRoomCountsInItsOwn) {
  constexpr std::uintptr_t kFirst = 0x777000;
  constexpr std::uintptr_t kLast = kFirst + 200;  // a full table has 112
  std::latch full(2);
  std::latch done(2);
  std::thread crowded([&] {
    for (std::uintptr_t pc = kFirst; pc <= kLast; ++pc) call(pc);
    full.arrive_and_wait();
    done.arrive_and_wait();  // so that the other one does not get this one's stack, and with it its
                             // table
  });
  std::thread([&] {
    full.arrive_and_wait();
    for (int i = 0; i < 5; ++i) call(kLast);
    done.arrive_and_wait();
    const live::ThreadTable* mine = nullptr;
    for (const auto& table : live::g_region.threads)
      mine = table.owner.load() == Arch::thread_pointer() ? &table : mine;
    ASSERT_NE(mine, nullptr);
    std::uint64_t own = 0;
    for (const auto& entry : mine->entries)
      own += entry.key == key_of(kLast).raw() ? entry.count : 0;
    EXPECT_EQ(own, 5U);
  }).join();
  crowded.join();
  EXPECT_EQ(counts_in(live::g_region).at(key_of(kLast).raw()), 6U) << "and each call once";
}

TEST(CallSites, ThreadsComeAndGoAndNothingIsLost) {
  for (int round = 0; round < 200; ++round) {
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([] {
        for (int i = 0; i < 50; ++i) call(0x333000);
      });
    }
    for (auto& t : threads) t.join();
  }
  EXPECT_EQ(counts_in(live::g_region).at(key_of(0x333000).raw()), 200U * 4 * 50);
}

}  // namespace
}  // namespace clockshim
