// What a thread remembers of its latest calls (callsite/chain_memo.h, callsite/python/code_memo.h).
// Each thread's table has one set, because the set points into the table. This is private memory.
// The first few sets are static; the others are mapped when a thread needs them.
#pragma once

#include "callsite/chain_memo.h"
#include "callsite/python/code_memo.h"
#include "live/layout.h"
#include "live/site_key.h"

namespace clockshim {

struct ThreadMemos {
  ChainMemos chains;
  CodeMemo codes;

  // The table's entries for calls without a site of their own (CallCounts::count_folded). When
  // there are many such calls, the table is full, and searching it takes long. Only the thread
  // itself writes these words.
  using Entry = live::ThreadTable::Entry;
  [[nodiscard]] Entry*& folded_at(SiteKey key) noexcept { return folded[key.home(kFoldedBits)]; }
  static constexpr unsigned kFoldedBits = 3;
  Entry* folded[1U << kFoldedBits];

  // Prepares the memos for a thread that gets its table in `region`. If they belong to a table in
  // another region, they are forgotten: a forked child has its parent's memos, which point into its
  // parent's tables.
  void serve(const live::Region& region) noexcept {
    if (of == &region) return;
    chains.forget();
    codes.forget();
    for (Entry*& place : folded) place = nullptr;
    of = &region;
  }
  const live::Region* of;
};

// The memos of table `index`. Null: they were never mapped, and nothing is remembered.
[[nodiscard]] ThreadMemos* memos_of(unsigned index) noexcept;

// Like memos_of(), but maps them if they are not there yet: one system call in a thread's first
// call, for threads beyond the first kStaticMemos. Only the thread that has the table may call
// this. Null: there is no memory, or the process has confined itself.
ThreadMemos* make_memos(unsigned index) noexcept;

inline constexpr unsigned kStaticMemos = 16;

}  // namespace clockshim
