// The calling thread's own counts: its table in the region, and what it remembers of its latest
// calls. A thread counts by one plain addition by one instruction, so a signal handler can't split
// it and no other CPU interferes. count_again() is the fast path's other half; where it finds
// nothing, the call takes the slow path (callsite/chain_walker.h).
//
// A thread takes a table at its first call and gives it back when it ends. There are
// live::kThreads; a thread that finds none free never gets one, and counts in the shared table
// (callsite/call_counts.h). All functions are async-signal-safe, and about the calling thread alone
// but for share().
#pragma once

#include <atomic>
#include <cstdint>

#include "arch/counter.h"
#include "base/attributes.h"
#include "callsite/stack.h"
#include "callsite/thread_memos.h"
#include "live/layout.h"
#include "live/site_key.h"

namespace clockshim {

class ThreadCounts {
 public:
  // Whether the loader has set up this thread's TLS, so that the functions below may be called. It
  // has by the time the constructor runs.
  CLOCKSHIM_INLINE static bool ready() noexcept { return t_table_ != nullptr; }

  // This thread's table, for count_again(). It may be loaded long before it is used.
  CLOCKSHIM_INLINE static live::ThreadTable* table() noexcept { return t_table_; }

  // HOT. The same where is_near(), and else any word. In thread-local memory of a shared library a
  // load of the place comes first, from a cache line and a page of its own; here the place is a
  // constant.
  CLOCKSHIM_INLINE static live::ThreadTable* near_table() noexcept {
    return reinterpret_cast<live::ThreadTable*>(Arch::word_of_thread<kNear>());
  }
  // Whether the pointer stands where near_table() looks for it, in all threads of this process. It
  // does where the library's thread-local memory is the first below the thread pointer, and as
  // large as kNear: the program has none of its own, and nor has a library before ours in
  // LD_PRELOAD. Elsewhere the memory that near_table() loads from is part of ours or of theirs.
  static bool is_near() noexcept {
    auto table = reinterpret_cast<std::uintptr_t>(&t_table_);
    // GCC 14 would compare with a relocation of thread-local storage, which binutils 2.44 refuses.
    asm("" : "+r"(table));
    return Arch::thread_pointer() - table == kNear;
  }

  // HOT. The entry of the table `mine` in which count_again() looks for a key.
  CLOCKSHIM_INLINE static live::ThreadTable::Entry* entry_of(SiteKey key,
                                                             live::ThreadTable* mine) noexcept {
    return &mine->at(key.place(live::kThreadSiteBits, sizeof(live::ThreadTable::Entry)));
  }

  // HOT. Counts a call under a key that this thread has counted before, and that is not a
  // wrapper's. False: nothing is counted.
  CLOCKSHIM_INLINE static bool count_again(SiteKey key) noexcept {
    return count_again(key, *entry_of(key, table()));
  }
  CLOCKSHIM_INLINE static bool count_again(SiteKey key, live::ThreadTable::Entry& entry) noexcept {
    if (CLOCKSHIM_UNLIKELY(entry.key != key.raw())) return false;
    Arch::increment(entry.count);
    return true;
  }

  // Like count_again(), for a key whose first slot is taken by another key: looks in the next slot,
  // which mostly is in the same cache line.
  CLOCKSHIM_INLINE static bool count_in_next_slot(SiteKey key) noexcept {
    live::ThreadTable* const mine = t_table_;
    live::ThreadTable::Entry& entry = mine->entries[place(key, 1)];
    if (entry.key != key.raw()) return false;
    Arch::increment(entry.count);
    return true;
  }

  // HOT behind a wrapper. Like count_again(), for a caller behind one wrapper whose rule this
  // thread has. `caller` is the wrapper's frame.
  CLOCKSHIM_INLINE static bool count_wrapped(SiteKey key, const Frame& caller) noexcept {
    live::ThreadTable* const mine = t_table_;
    const live::ThreadTable::Entry& entry =
        mine->at(key.place(live::kThreadSiteBits, sizeof(live::ThreadTable::Entry)));
    if (CLOCKSHIM_UNLIKELY(entry.key != (key.raw() | SiteKey::kRule) || entry.count == 0))
      return false;
    const FrameRule rule = FrameRule::unpacked(entry.count);
    if (CLOCKSHIM_UNLIKELY(!rule.leads_near(caller))) return false;
    const SiteKey behind = key.behind(rule.return_address_of(caller));
    return count_again(behind) || count_in_next_slot(behind);
  }

  // HOT behind several wrappers, and with CLOCKSHIM_DEPTH. Like count_again(), for a caller whose
  // chain this thread has walked before.
  CLOCKSHIM_INLINE static bool count_chain(SiteKey key, const Frame& caller) noexcept {
    ThreadMemos* const mine = t_memos_;
    return CLOCKSHIM_LIKELY(mine != nullptr) &&
           mine->chains.of(key, caller).count_again(key, caller);
  }

  // The slot of a thread's table that is searched for a key in the `probe`th step: its home, then
  // the neighbour, and so on through all slots.
  static constexpr unsigned place(SiteKey key, unsigned probe) {
    return key.home(live::kThreadSiteBits) ^ probe;
  }

  // Takes a table in `region`, if this thread has none yet: one that is free, or that was left by a
  // thread with the same thread pointer that ended without notice. Its counts continue. Null: there
  // is none, or the region is a parent's.
  static live::ThreadTable* attach(live::Region& region) noexcept;

  // What this thread has attached, with or without the fast path. If the region is a parent's, a
  // cloned thread still has what the parent's thread had, so the answer is null.
  [[nodiscard]] static live::ThreadTable* attached() noexcept {
    return in_parents_region.load(std::memory_order_acquire) ? nullptr : t_mine_;
  }
  // The memos that belong to it. Null: it has none, or its calls all take the slow path.
  [[nodiscard]] static ThreadMemos* memos() noexcept {
    return in_parents_region.load(std::memory_order_acquire) ? nullptr : t_memos_;
  }

  // Gives back the table of the calling thread, which ends. With its counts it goes to the next
  // thread that needs one.
  static void detach() noexcept;

  // At start: writes the thread's number into its table, because the thread may have called before
  // its number was known.
  static void sign_again() noexcept;

  // Points this thread's fast path at an empty table, so that every call reaches the slow path,
  // which decides whether to sample it. Call it at start, for the thread that has called before;
  // later threads are set up this way by attach().
  static void disable_hot_path() noexcept;

  // At start: this thread goes on in `region`, which already has what it has counted in g_region.
  static void move_to(live::Region& region) noexcept;

  // In a forked child, by its only thread: it has no table yet. `tid` is its number, 0 if it is not
  // known. With `share`, none of this process will have a table, as after share().
  static void begin_in_child(std::uint32_t tid, bool share) noexcept;

  // Declares that the region is a parent's, whose threads own the tables: from now on no thread of
  // this process writes to a table. After a raw clone the fast path's table is such a table, so the
  // caller must keep calls away from the fast path.
  static void share() noexcept { in_parents_region.store(true, std::memory_order_release); }

 private:
  // The size of all thread-local memory of the library, rounded up to its alignment, as the psABI
  // places it (t_table_ is the first in it). tests/golden/profile.py compares. With another size
  // the library works as well, and loads a word more in each call.
  static constexpr std::ptrdiff_t kNear = 0x2c0;

  // For the fast path; an empty table if each call has to take the slow path. It stands first
  // because it is the only thread-local variable that does not begin as zero.
  alignas(64) static CLOCKSHIM_TLS live::ThreadTable* t_table_;
  static CLOCKSHIM_TLS ThreadMemos* t_memos_;  // likewise; null then
  static CLOCKSHIM_TLS live::ThreadTable* t_mine_;
  static CLOCKSHIM_TLS bool t_no_table_;  // there was none left
  static CLOCKSHIM_TLS std::uint32_t
      t_forked_as_;  // the thread's number, in a forked child; else 0

  CLOCKSHIM_HIDDEN static std::atomic<bool> in_parents_region;
};

}  // namespace clockshim
