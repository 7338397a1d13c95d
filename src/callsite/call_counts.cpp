#include "callsite/call_counts.h"

#include "arch/counter.h"
#include "callsite/thread_counts.h"

namespace clockshim {

using live::kSharedBits;
using live::kSharedSites;
using live::kThreadSites;
using live::SharedEntry;
using live::ThreadTable;

namespace {

// The searches for a free slot end after so many steps: in a thread's table, and in the shared one.
constexpr unsigned kThreadProbes = 16;
constexpr unsigned kSharedProbes = 256;  // at 15/16 full, a search meets a free place after 128
// In a thread's table most keys are found within this many steps. After that, the filter decides
// whether to go on.
constexpr unsigned kNearProbes = 2;

// Finds a key, which is not a rule's, in a thread's table. Null: it is not there.
ThreadTable::Entry* find(ThreadTable& table, SiteKey key) noexcept {
  for (unsigned probe = 0; probe < kThreadSites; ++probe) {
    ThreadTable::Entry& entry = table.entries[ThreadCounts::place(key, probe)];
    if (entry.key == key.raw()) return &entry;
    if (entry.key == 0) break;
  }
  return nullptr;
}

}  // namespace

auto CallCounts::count(ThreadTable* table, SiteKey key, FrameRule& rule,
                       ThreadTable::Entry*& mine) noexcept -> Found {
  if (table != nullptr) {
    for (unsigned probe = 0; probe < kThreadProbes; ++probe) {
      ThreadTable::Entry& entry = table->entries[ThreadCounts::place(key, probe)];
      if (entry.key == 0) break;
      if (probe == kNearProbes && !may_know(key)) return Found::nothing;
      if (entry.key == key.raw()) {
        Arch::increment(entry.count);
        mine = &entry;
        return Found::counted;
      }
      if (entry.key == (key.raw() | SiteKey::kRule) && entry.count != 0) {
        rule = FrameRule::unpacked(entry.count);
        mine = &entry;
        return Found::rule;
      }
    }
  }
  if (!may_know(key)) return Found::nothing;
  const bool has_room = table != nullptr && table->used < live::kThreadSitesUsable;
  const unsigned home = key.home(kSharedBits);
  for (unsigned probe = 0; probe < kSharedProbes; ++probe) {
    SharedEntry& entry = region_->shared.entries[(home + probe) % kSharedSites];
    const std::uint64_t there = entry.key.load(std::memory_order_acquire);
    if (there == 0) break;
    const std::uint64_t word = entry.count.load(std::memory_order_acquire);
    if (there == key.raw()) {
      if (has_room) {
        add(table, there, 1);
      } else {
        entry.count.fetch_add(1, std::memory_order_relaxed);
      }
      return Found::counted;
    }
    if (there == (key.raw() | SiteKey::kRule) && word != 0) {
      if (has_room) add(table, there, word);
      rule = FrameRule::unpacked(word);
      return Found::rule;
    }
  }
  return Found::nothing;
}

// A new key is claimed by a locked exchange before it is counted, because a signal handler may be
// doing the same.
bool CallCounts::add(ThreadTable* table, std::uint64_t key, std::uint64_t amount,
                     std::uint64_t retired) noexcept {
  retired |= retired != 0 ? key & SiteKey::kRule : 0;
  // A retired key is in the slot where the key itself was, so the search meets it before any free
  // slot.
  const auto revived = [&](auto&& word, std::uint64_t there) {
    return there == retired && retired != 0 &&
           (word.compare_exchange_strong(there, key, std::memory_order_acq_rel) || there == key);
  };
  const SiteKey plain{key & ~SiteKey::kRule};
  const unsigned usable = plain.folded() ? kThreadSites : live::kThreadSitesUsable;
  const unsigned near = plain.folded() ? kThreadSites : kThreadProbes;
  for (unsigned probe = 0; table != nullptr && probe < near; ++probe) {
    ThreadTable::Entry& entry = table->entries[ThreadCounts::place(plain, probe)];
    const std::atomic_ref there(entry.key);
    std::uint64_t seen = there.load(std::memory_order_acquire);
    if (seen == 0 && table->used >= usable) break;
    if (seen == 0) known_.add(plain);
    const bool fresh =
        seen == 0 && there.compare_exchange_strong(seen, key, std::memory_order_acq_rel);
    if (!fresh && seen != key && !revived(there, seen)) continue;
    if ((key & SiteKey::kRule) != 0) {
      std::atomic_ref(entry.count).store(amount, std::memory_order_release);
    } else {
      Arch::increment(entry.count);
    }
    if (fresh) Arch::increment(table->used);
    return true;
  }
  const unsigned home = plain.home(kSharedBits);
  const unsigned probes = plain.folded() ? kSharedSites : kSharedProbes;
  for (unsigned probe = 0; probe < probes; ++probe) {
    SharedEntry& entry = region_->shared.entries[(home + probe) % kSharedSites];
    std::uint64_t seen = entry.key.load(std::memory_order_acquire);
    bool fresh = false;
    if (seen == 0) {
      if (!plain.folded() && shared_used_.load(std::memory_order_relaxed) >= kSharedUsable)
        return false;
      known_.add(plain);
      live::note_page(*region_, &entry, sizeof entry);
      fresh = entry.key.compare_exchange_strong(seen, key, std::memory_order_acq_rel);
    }
    if (!fresh && seen != key && !revived(entry.key, seen)) continue;
    if (fresh) shared_used_.fetch_add(1, std::memory_order_relaxed);
    if ((key & SiteKey::kRule) != 0) {
      entry.count.store(amount, std::memory_order_release);
    } else {
      entry.count.fetch_add(amount, std::memory_order_relaxed);
    }
    return true;
  }
  return false;
}

// There is room for all of these keys, because there are few clocks and functions. A full table
// takes long to search, so the thread remembers the slot, and the caller with it.
void CallCounts::count_folded(std::uintptr_t as, SiteKey key, const Frame& caller) noexcept {
  const SiteKey folded{as, key.clock(), key.function()};
  ThreadTable* const table = ThreadCounts::attached();
  if (ThreadMemos* const memos = ThreadCounts::memos(); memos != nullptr) {
    ThreadTable::Entry*& place_of = memos->folded_at(folded);
    if (place_of == nullptr || place_of->key != folded.raw()) place_of = find(*table, folded);
    if (ThreadTable::Entry* const entry = place_of; entry != nullptr) {
      Arch::increment(entry->count);
      if ((key.raw() & SiteKey::kChain) == 0)
        memos->chains.of(key, caller).remember(key, &caller, nullptr, 1, *entry);
      return;
    }
  }
  if (!add(table, folded.raw(), 1)) region_->shared.dropped.fetch_add(1, std::memory_order_relaxed);
}

void CallCounts::count_real(unsigned clock) noexcept {
  if (ThreadTable* const table = ThreadCounts::attach(*region_)) {
    Arch::increment(table->real[clock]);
  } else {
    region_->shared.real[clock].fetch_add(1, std::memory_order_relaxed);
  }
}

void CallCounts::rename(SiteKey from, SiteKey to, bool only_rules) noexcept {
  // False: the slot is free, so the search ends.
  const auto look_at = [from, to, only_rules](auto&& key, auto&& count) {
    std::uint64_t there = key.load(std::memory_order_acquire);
    if ((there & ~SiteKey::kRule) != from.raw()) return there != 0;
    const std::uint64_t rule = there & SiteKey::kRule;
    if (rule == 0 && only_rules) return true;
    if (key.compare_exchange_strong(there, to.raw() | rule, std::memory_order_acq_rel) && rule != 0)
      count.store(0, std::memory_order_release);  // the rule is learned again when it is needed
    return true;
  };
  for (ThreadTable& table : region_->threads) {
    // Tables are taken in order, so the first one that no thread has had ends the search.
    if (std::atomic_ref(table.used).load(std::memory_order_relaxed) == 0 &&
        table.owner.load(std::memory_order_relaxed) == 0)
      break;
    for (unsigned probe = 0; probe < kThreadSites; ++probe) {
      ThreadTable::Entry& entry = table.entries[ThreadCounts::place(from, probe)];
      if (!look_at(std::atomic_ref(entry.key), std::atomic_ref(entry.count))) break;
    }
  }
  const unsigned home = from.home(kSharedBits);
  for (unsigned probe = 0; probe < kSharedSites; ++probe) {
    SharedEntry& entry = region_->shared.entries[(home + probe) % kSharedSites];
    if (!look_at(entry.key, entry.count)) break;
  }
}

}  // namespace clockshim
