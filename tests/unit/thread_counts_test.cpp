// A thread's own counts: which table it gets, whose number stands there, and what the fast path
// finds.
#include "callsite/thread_counts.h"

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <latch>
#include <memory>
#include <thread>
#include <vector>

#include "callsite/call_sites.h"
#include "callsite_parts.h"
#include "live/region.h"
#include "os/thread_id.h"

namespace clockshim {
namespace {

void call(std::uintptr_t pc) {
  if (!ThreadCounts::count_again(key_of(pc))) g_sites.count(key_of(pc), nowhere(pc));
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

TEST(ThreadCounts, ATableSaysWhoseItIs) {
  find_thread_ids();
  std::latch all_there(3);
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&all_there] {
      call(0x444000);
      all_there.arrive_and_wait();  // so that none has the table of another
      const live::ThreadTable* const mine = table_of(kernel_id());
      ASSERT_NE(mine, nullptr);
      EXPECT_EQ(mine->owner.load(), Arch::thread_pointer());
    });
  }
  for (auto& thread : threads) thread.join();
}

TEST(ThreadCounts, ATableThatGoesFromThreadToThreadCountsThemAndNoneTwice) {
  find_thread_ids();
  const live::ThreadTable* table = nullptr;
  std::uint32_t before = 0;
  for (std::uint32_t turn = 0; turn < 10; ++turn) {
    std::thread([&] {
      call(0x555000);
      ThreadCounts::detach();
      call(0x555000);  // as a destructor behind the thread's end does
      const live::ThreadTable* const mine = table_of(kernel_id());
      ASSERT_NE(mine, nullptr);
      if (turn == 0) {
        table = mine;
        before = mine->threads.load();
      }
      ASSERT_EQ(mine, table) << "the first one that is free";
      EXPECT_EQ(mine->threads.load(), before + turn);
      ThreadCounts::detach();
    }).join();
  }
}

TEST(ThreadCounts, AThreadThatAskedBeforeNumbersWereKnownSignsLater) {
  find_thread_ids();
  call(0x666000);
  live::ThreadTable* mine = nullptr;
  for (auto& table : live::g_region.threads)
    mine = table.owner.load() == Arch::thread_pointer() ? &table : mine;
  ASSERT_NE(mine, nullptr);
  mine->tid = 0;
  mine->threads = 0;
  ThreadCounts::sign_again();
  ThreadCounts::sign_again();
  EXPECT_EQ(mine->tid.load(), kernel_id());
  EXPECT_EQ(mine->threads.load(), 1U);
}

// Runs f on a thread that has no table yet.
template <class F>
void on_new_thread(F f) {
  std::thread(f).join();
}

TEST(ThreadCounts, AThreadWithoutATableFindsNothing) {
  on_new_thread([] {
    EXPECT_TRUE(ThreadCounts::ready());
    EXPECT_EQ(ThreadCounts::attached(), nullptr);
    EXPECT_EQ(ThreadCounts::memos(), nullptr);
    EXPECT_FALSE(ThreadCounts::count_again(key_of(0x888000)));
    EXPECT_FALSE(ThreadCounts::count_in_next_slot(key_of(0x888000)));
    EXPECT_FALSE(ThreadCounts::count_wrapped(key_of(0x888000), nowhere(0x888000)));
    EXPECT_FALSE(ThreadCounts::count_chain(key_of(0x888000), nowhere(0x888000)));
    ThreadCounts::detach();  // nothing, and no harm
  });
}

TEST(ThreadCounts, TheHotPathCountsWhereTheKeyIsAtHomeOrNextToIt) {
  // Kept for good: the memos of a table point into it.
  static const auto region = std::make_unique<live::Region>();
  on_new_thread([] {
    live::ThreadTable* const mine = ThreadCounts::attach(*region);
    ASSERT_NE(mine, nullptr);
    EXPECT_EQ(ThreadCounts::attach(*region), mine) << "it has one table only";
    EXPECT_EQ(ThreadCounts::attached(), mine);
    EXPECT_EQ(ThreadCounts::table(), mine);
    EXPECT_EQ(region->header.counted.load(), 1U);
    EXPECT_EQ(region->header.state.load(), live::State::running);
    const SiteKey home = key_of(0x999000);
    const SiteKey next = key_of(0x999001);
    mine->entries[ThreadCounts::place(home, 0)] = {home.raw(), 5};
    EXPECT_TRUE(ThreadCounts::count_again(home));
    EXPECT_EQ(mine->entries[ThreadCounts::place(home, 0)].count, 6U);
    mine->entries[ThreadCounts::place(next, 1)] = {next.raw(), 7};
    EXPECT_FALSE(ThreadCounts::count_again(next));
    EXPECT_TRUE(ThreadCounts::count_in_next_slot(next));
    EXPECT_EQ(mine->entries[ThreadCounts::place(next, 1)].count, 8U);
    ThreadCounts::disable_hot_path();
    EXPECT_FALSE(ThreadCounts::count_again(home)) << "each call takes the slow path now";
    EXPECT_EQ(ThreadCounts::attached(), mine) << "which goes on in the same table";
    ThreadCounts::detach();
    EXPECT_EQ(mine->owner.load(), 0U);
  });
}

TEST(ThreadCounts, AThreadThatFindsNoTableFreeNeverHasOne) {
  const auto region = std::make_unique<live::Region>();
  for (auto& table : region->threads) table.owner = 1;  // somebody's
  on_new_thread([&] {
    EXPECT_EQ(ThreadCounts::attach(*region), nullptr);
    region->threads[3].owner = 0;
    EXPECT_EQ(ThreadCounts::attach(*region), nullptr) << "it does not search again at each call";
    EXPECT_FALSE(ThreadCounts::count_again(key_of(0xaaa000)));
  });
}

TEST(ThreadCounts, TheTableOfAThreadThatEndedUnnoticedIsTakenOver) {
  static const auto region = std::make_unique<live::Region>();
  for (unsigned i = 0; i < 5; ++i) region->threads[i].owner = 1;
  on_new_thread([] {
    region->threads[5].owner = Arch::thread_pointer();
    EXPECT_EQ(ThreadCounts::attach(*region), &region->threads[5]);
    ThreadCounts::detach();
  });
}

}  // namespace
}  // namespace clockshim
