// Counting by key: exact, per thread, with a full table's calls going to the shared one, and what
// is dropped told.
#include "callsite/site_table.h"

#include <gtest/gtest.h>

#include <sys/syscall.h>
#include <unistd.h>

#include <latch>
#include <map>
#include <thread>
#include <vector>

#include "live/region.h"
#include "os/thread_id.h"

namespace clockshim {
namespace {

// Frames that no module holds, so that nothing is taken for a wrapper and no stack is followed.
Frame nowhere(std::uintptr_t pc) { return Frame{pc, 0, 0}; }
SiteKey key(std::uintptr_t pc, unsigned clock = CLOCK_MONOTONIC) {
  return SiteKey{pc, clock, Function::clock_gettime};
}

std::map<std::uint64_t, std::uint64_t> counts() {
  std::map<std::uint64_t, std::uint64_t> sums;
  const auto add = [&](std::uint64_t k, std::uint64_t n) {
    if (k != 0 && (k & SiteKey::kRule) == 0) sums[k] += n;
  };
  for (const auto& table : live::g_region.threads) {
    for (const auto& entry : table.entries) add(entry.key, entry.count);
  }
  for (const auto& entry : live::g_region.shared.entries) add(entry.key, entry.count);
  return sums;
}

void call(SiteKey k, std::uintptr_t pc) {
  if (!SiteTable::count_again(k)) g_sites.count_elsewhere(k, nowhere(pc));
}

TEST(SiteKey, TellsAddressClockAndFunctionApart) {
  const SiteKey k{0x7fffdeadbeef, CLOCK_TAI, Function::gettimeofday};
  EXPECT_EQ(k.clock(), static_cast<unsigned>(CLOCK_TAI));
  EXPECT_EQ(k.function(), Function::gettimeofday);
  EXPECT_NE(key(0x1000).raw(), key(0x1001).raw());
  EXPECT_NE(key(0x1000, CLOCK_REALTIME).raw(), key(0x1000).raw());
}

TEST(SiteKey, AChainKeepsClockAndFunctionAndIsNoPlainKey) {
  const SiteKey k = SiteKey{0x5555, CLOCK_BOOTTIME, Function::timespec_get}.behind(0x6666);
  EXPECT_EQ(k.clock(), static_cast<unsigned>(CLOCK_BOOTTIME));
  EXPECT_EQ(k.function(), Function::timespec_get);
  EXPECT_NE(k.raw() & SiteKey::kChain, 0U);
  EXPECT_EQ(k.raw() & SiteKey::kRule, 0U);
  EXPECT_NE(k.raw(),
            (SiteKey{0x5555, CLOCK_BOOTTIME, Function::timespec_get}.behind(0x6667).raw()));
}

TEST(SiteKey, ChainsOfNeighbouringAddressesDoNotMeet) {
  std::map<std::uint64_t, int> seen;
  for (std::uintptr_t outer = 0x400000; outer < 0x400000 + 20000; ++outer)
    ++seen[key(0x7f0000001234).behind(outer).raw()];
  EXPECT_EQ(seen.size(), 20000U);
}

TEST(FrameRule, SurvivesPacking) {
  for (const FrameRule rule :
       {FrameRule{8, 0, false}, FrameRule{16, -16, true}, FrameRule{4096, -32768, false}}) {
    const FrameRule back = FrameRule::unpacked(rule.packed());
    EXPECT_EQ(back.cfa_offset, rule.cfa_offset);
    EXPECT_EQ(back.saved_frame, rule.saved_frame);
    EXPECT_EQ(back.from_frame, rule.from_frame);
    EXPECT_NE(rule.packed(), 0U) << "0 means: not written yet";
  }
}

TEST(FrameRule, FindsTheCallersFrame) {
  std::uintptr_t stack[8] = {0, 0, 0xbbbb, 0xcafe,
                             0};  // saved rbp at [2], return address at [3], CFA is &[4]
  const Frame frame{0x1234, reinterpret_cast<std::uintptr_t>(&stack[1]), 0x9999};
  const Frame caller = FrameRule{24, -16, false}.caller_of(frame);
  EXPECT_EQ(caller.pc, 0xcafeU);
  EXPECT_EQ(caller.frame, 0xbbbbU);
  EXPECT_EQ(caller.stack, reinterpret_cast<std::uintptr_t>(&stack[4]));
}

TEST(SiteTable, CountsEveryCallOnce) {
  const auto before = counts();
  for (int i = 0; i < 1000; ++i) call(key(0x111000 + static_cast<std::uintptr_t>(i % 7)), 0x111000);
  const auto after = counts();
  std::uint64_t sum = 0;
  for (const auto& [k, n] : after) sum += n - (before.count(k) ? before.at(k) : 0);
  EXPECT_EQ(sum, 1000U);
  EXPECT_EQ(after.at(key(0x111000).raw()), 143U);
}

TEST(SiteTable, MoreSitesThanATableHoldsAreStillExact) {
  std::thread([] {
    for (int round = 0; round < 3; ++round) {
      for (std::uintptr_t pc = 0; pc < 250; ++pc) call(key(0x222000 + pc), 0x222000 + pc);
    }
  }).join();
  const auto after = counts();
  for (std::uintptr_t pc = 0; pc < 250; ++pc)
    ASSERT_EQ(after.at(key(0x222000 + pc).raw()), 3U) << pc;
  EXPECT_EQ(live::g_region.shared.dropped.load(), 0U);
}

// Why: else a caller that one full table had no room for would be counted in the shared table by
// all threads that see it later, each time by a locked exchange, and nobody could tell whose calls
// they are.
TEST(SiteTable, WhatOthersCountInTheSharedTableAThreadWithRoomCountsInItsOwn) {
  constexpr std::uintptr_t kFirst = 0x777000;
  constexpr std::uintptr_t kLast = kFirst + 200;  // a full table has 112
  std::latch full(2);
  std::latch done(2);
  std::thread crowded([&] {
    for (std::uintptr_t pc = kFirst; pc <= kLast; ++pc) call(key(pc), pc);
    full.arrive_and_wait();
    done.arrive_and_wait();  // so that the other one does not get this one's stack, and with it its
                             // table
  });
  std::thread([&] {
    full.arrive_and_wait();
    for (int i = 0; i < 5; ++i) call(key(kLast), kLast);
    done.arrive_and_wait();
    const live::ThreadTable* mine = nullptr;
    for (const auto& table : live::g_region.threads)
      mine = table.owner.load() == Arch::thread_pointer() ? &table : mine;
    ASSERT_NE(mine, nullptr);
    std::uint64_t own = 0;
    for (const auto& entry : mine->entries) own += entry.key == key(kLast).raw() ? entry.count : 0;
    EXPECT_EQ(own, 5U);
  }).join();
  crowded.join();
  EXPECT_EQ(counts().at(key(kLast).raw()), 6U) << "and each call once";
}

TEST(SiteTable, ThreadsComeAndGoAndNothingIsLost) {
  for (int round = 0; round < 200; ++round) {
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([] {
        for (int i = 0; i < 50; ++i) call(key(0x333000), 0x333000);
      });
    }
    for (auto& t : threads) t.join();
  }
  EXPECT_EQ(counts().at(key(0x333000).raw()), 200U * 4 * 50);
}

std::uint32_t kernel_id() { return static_cast<std::uint32_t>(syscall(SYS_gettid)); }

// The table of the thread that has this number, or had it last.
const live::ThreadTable* table_of(std::uint32_t tid) {
  for (const auto& table : live::g_region.threads) {
    if (table.tid.load() == tid) return &table;
  }
  return nullptr;
}

TEST(ThreadId, IsTheKernelsInEachThread) {
  find_thread_ids();
  EXPECT_EQ(this_thread_id(), kernel_id());
  std::thread([] { EXPECT_EQ(this_thread_id(), kernel_id()); }).join();
}

TEST(SiteTable, ATableSaysWhoseItIs) {
  find_thread_ids();
  std::latch all_there(3);
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&all_there] {
      call(key(0x444000), 0x444000);
      all_there.arrive_and_wait();  // so that none has the table of another
      const live::ThreadTable* const mine = table_of(kernel_id());
      ASSERT_NE(mine, nullptr);
      EXPECT_EQ(mine->owner.load(), Arch::thread_pointer());
    });
  }
  for (auto& thread : threads) thread.join();
}

TEST(SiteTable, ATableThatGoesFromThreadToThreadCountsThemAndNoneTwice) {
  find_thread_ids();
  const live::ThreadTable* table = nullptr;
  std::uint32_t before = 0;
  for (std::uint32_t turn = 0; turn < 10; ++turn) {
    std::thread([&] {
      call(key(0x555000), 0x555000);
      SiteTable::detach();
      call(key(0x555000), 0x555000);  // as a destructor behind the thread's end does
      const live::ThreadTable* const mine = table_of(kernel_id());
      ASSERT_NE(mine, nullptr);
      if (turn == 0) {
        table = mine;
        before = mine->threads.load();
      }
      ASSERT_EQ(mine, table) << "the first one that is free";
      EXPECT_EQ(mine->threads.load(), before + turn);
      SiteTable::detach();
    }).join();
  }
}

TEST(SiteTable, AThreadThatAskedBeforeNumbersWereKnownSignsLater) {
  find_thread_ids();
  call(key(0x666000), 0x666000);
  live::ThreadTable* mine = nullptr;
  for (auto& table : live::g_region.threads)
    mine = table.owner.load() == Arch::thread_pointer() ? &table : mine;
  ASSERT_NE(mine, nullptr);
  mine->tid = 0;
  mine->threads = 0;
  SiteTable::sign_again();
  SiteTable::sign_again();
  EXPECT_EQ(mine->tid.load(), kernel_id());
  EXPECT_EQ(mine->threads.load(), 1U);
}

}  // namespace
}  // namespace clockshim
