#include "callsite/thread_counts.h"

#include "callsite/full_stacks.h"
#include "live/region.h"
#include "os/thread_end.h"
#include "os/thread_id.h"

namespace clockshim {

using live::ThreadTable;

namespace {

// Writes the owner's thread number into the table. A thread may come here twice: in a signal
// handler on top of itself, or in the destructors after its end.
void sign(ThreadTable& table, std::uint32_t tid) noexcept {
  if (table.tid.exchange(tid, std::memory_order_relaxed) != tid)
    table.threads.fetch_add(1, std::memory_order_relaxed);
}

CLOCKSHIM_SLOW void begin_counting(live::Header& header) noexcept {
  header.counted.store(1, std::memory_order_relaxed);
  live::State none = live::State::none;
  header.state.compare_exchange_strong(none, live::State::running, std::memory_order_release);
}

// The table of a thread that has none. No key is ever found in it, so the fast path need not check
// whether the thread has a table.
CLOCKSHIM_LARGE constinit ThreadTable g_no_table{};

}  // namespace

alignas(64) CLOCKSHIM_TLS ThreadTable* ThreadCounts::t_table_ = &g_no_table;
CLOCKSHIM_TLS ThreadMemos* ThreadCounts::t_memos_ = nullptr;
CLOCKSHIM_TLS ThreadTable* ThreadCounts::t_mine_ = nullptr;
CLOCKSHIM_TLS bool ThreadCounts::t_no_table_ = false;
CLOCKSHIM_TLS std::uint32_t ThreadCounts::t_forked_as_ = 0;
constinit std::atomic<bool> ThreadCounts::in_parents_region{};

ThreadTable* ThreadCounts::attach(live::Region& region) noexcept {
  const bool shared = in_parents_region.load(std::memory_order_acquire);
  if (CLOCKSHIM_LIKELY(!shared) && (t_mine_ != nullptr || t_no_table_)) return t_mine_;
  if (CLOCKSHIM_UNLIKELY(region.header.counted.load(std::memory_order_relaxed) == 0))
    begin_counting(region.header);
  if (CLOCKSHIM_UNLIKELY(shared)) return nullptr;
  watch_thread_end();
  const std::uint64_t me = Arch::thread_pointer();
  for (ThreadTable& table : region.threads) {
    std::uint64_t owner = table.owner.load(std::memory_order_acquire);
    if (owner == me ||
        (owner == 0 && table.owner.compare_exchange_strong(owner, me, std::memory_order_acq_rel))) {
      ThreadMemos* const memos = make_memos(static_cast<unsigned>(&table - region.threads));
      if (memos != nullptr) memos->serve(region);
      // With full stacks each call has to take the slow path, which samples some.
      if (g_stacks.every() == 0) {
        t_memos_ = memos;
        t_table_ = &table;
      }
      live::note_page(region, &table, sizeof table);
      sign(table, t_forked_as_ != 0 ? t_forked_as_ : this_thread_id());
      return t_mine_ = &table;
    }
  }
  t_no_table_ = true;
  return nullptr;
}

void ThreadCounts::detach() noexcept {
  ThreadTable* const table = t_mine_;
  t_memos_ = nullptr;
  t_table_ = &g_no_table;  // first, so that a signal handler from here on takes a table of its own
  t_mine_ = nullptr;
  t_no_table_ = false;
  if (table != nullptr && !in_parents_region.load(std::memory_order_acquire))
    table->owner.store(0, std::memory_order_release);
}

void ThreadCounts::sign_again() noexcept {
  if (t_mine_ != nullptr) sign(*t_mine_, this_thread_id());
}

void ThreadCounts::disable_hot_path() noexcept {
  t_memos_ = nullptr;
  t_table_ = &g_no_table;
}

void ThreadCounts::move_to(live::Region& region) noexcept {
  const auto moved = [&](ThreadTable* table) {
    return table == nullptr || table == &g_no_table
               ? table
               : &region.threads[table - live::g_region.threads];
  };
  t_mine_ = moved(t_mine_);
  t_table_ = moved(t_table_);
  t_memos_ = nullptr;  // they point into the old tables
}

void ThreadCounts::begin_in_child(std::uint32_t tid, bool share) noexcept {
  in_parents_region.store(share, std::memory_order_relaxed);
  // This thread's table and memos are its parent's.
  t_table_ = &g_no_table;
  t_memos_ = nullptr;
  t_mine_ = nullptr;
  t_no_table_ = false;
  t_forked_as_ = tid;
  FullStacks::begin_in_child();
}

}  // namespace clockshim
