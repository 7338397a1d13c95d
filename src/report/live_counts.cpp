#include "report/live_counts.h"

#include <algorithm>
#include <atomic>
#include <cstddef>

#include "live/site_key.h"

namespace clockshim {
namespace {

// Reads a word in one piece, although its thread writes it without atomics.
std::uint64_t word(const std::uint64_t& w) { return __atomic_load_n(&w, __ATOMIC_RELAXED); }

}  // namespace

LiveCounts::LiveCounts(const LiveRecords<live::SharedCounts>& shared,
                       const LiveRecords<live::ThreadTable>& tables) {
  const auto add = [this](std::uint64_t key, std::uint64_t count) {
    if (key != 0 && (key & SiteKey::kRule) == 0) counts.push_back({key, threads.size() - 1, count});
  };
  threads.emplace_back().shared = true;
  for (unsigned id = 0; id < kClockIds; ++id)
    real[id] = shared[0].real[id].load(std::memory_order_relaxed);
  for (std::size_t i = 0; i < live::kSharedSites; ++i) {
    const live::SharedEntry& entry = shared[0].entries[i];
    if (!shared.begun(0, offsetof(live::SharedCounts, entries) + i * sizeof entry)) continue;
    add(entry.key.load(std::memory_order_acquire), entry.count.load(std::memory_order_relaxed));
  }
  for (std::uint32_t i = 0; i < tables.count(); ++i) {
    if (!tables.begun(i)) continue;
    const live::ThreadTable& table = tables[i];
    if (word(table.used) == 0) continue;
    ReportThread& thread = threads.emplace_back();
    thread.tid = table.tid.load(std::memory_order_relaxed);
    thread.threads = table.threads.load(std::memory_order_relaxed);
    thread.ended = table.owner.load(std::memory_order_relaxed) == 0;
    for (unsigned id = 0; id < kClockIds; ++id) real[id] += word(table.real[id]);
    for (const auto& entry : table.entries) add(word(entry.key), word(entry.count));
  }
  std::sort(counts.begin(), counts.end(),
            [](const Count& a, const Count& b) { return a.key < b.key; });
  for (const Count& count : counts) calls[SiteKey{count.key}.clock()] += count.calls;
}

}  // namespace clockshim
