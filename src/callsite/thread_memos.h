// What a thread remembers of its latest calls (callsite/chain_memo.h, callsite/python/code_memo.h):
// one set for each thread's table, because it points into that. Private memory. The first few sets
// are static; what belongs to more threads is mapped when they come.
#pragma once

#include "callsite/chain_memo.h"
#include "callsite/python/code_memo.h"
#include "live/layout.h"
#include "live/site_key.h"

namespace clockshim {

struct ThreadMemos {
  ChainMemos chains;
  CodeMemo codes;

  // Where in the table the calls stand that have no site of their own (SiteTable::count_folded):
  // when they become many the table is full, and to search it takes long. One word each, of one
  // thread.
  using Entry = live::ThreadTable::Entry;
  [[nodiscard]] Entry*& folded_at(SiteKey key) noexcept { return folded[key.home(kFoldedBits)]; }
  static constexpr unsigned kFoldedBits = 3;
  Entry* folded[1U << kFoldedBits];

  // For a thread that is given its table in `region`. What was remembered of a table in another one
  // is forgotten: a forked child has its parent's memos, which lead into its parent's tables.
  void serve(const live::Region& region) noexcept {
    if (of == &region) return;
    chains.forget();
    codes.forget();
    for (Entry*& place : folded) place = nullptr;
    of = &region;
  }
  const live::Region* of;
};

// Those of table `index`, as far as they are there; else null, and nothing is remembered.
[[nodiscard]] ThreadMemos* memos_of(unsigned index) noexcept;

// The same, and maps them where they are not there yet: one system call in a thread's first call,
// of threads behind the first kStaticMemos. By the thread that has the table.
ThreadMemos* make_memos(unsigned index) noexcept;

inline constexpr unsigned kStaticMemos = 16;

}  // namespace clockshim
