#include "image/cpu_counts.h"

#include <algorithm>
#include <new>

#include "callsite/site_registry.h"
#include "image/state.h"

namespace clockshim {

CLOCKSHIM_LARGE constinit GoChains g_go_chains;

namespace {

using live::kSharedBits;
using live::kThreadSiteBits;

constexpr unsigned kCpuProbes = 8;
constexpr unsigned kSharedProbes = 1U << kSharedBits;
constexpr unsigned kMostFrames = CpuCounts::kMostFrames;
static_assert(kMostFrames < live::kSiteDepth);

CLOCKSHIM_LARGE constinit KeyFilter g_known;
// It is made at start, because it needs to know its region.
alignas(SiteRegistry) CLOCKSHIM_LARGE constinit unsigned char g_registry[sizeof(SiteRegistry)]{};
SiteRegistry& registry() noexcept { return *reinterpret_cast<SiteRegistry*>(g_registry); }

// An entry of either table.
struct Entry {
  std::atomic<std::uint64_t> key;
  std::atomic<std::uint64_t> word;  // the count, or a packed FrameRule, if the key has kRule
};
static_assert(sizeof(Entry) == sizeof(live::ThreadTable::Entry));
static_assert(sizeof(Entry) == sizeof(live::SharedEntry));

struct Table {
  Entry* entries;
  unsigned bits;
  unsigned probes;
  [[nodiscard]] Entry& at(SiteKey key, unsigned probe) const noexcept {
    return entries[(key.home(bits) + probe) & ((1U << bits) - 1)];
  }
};

Table table_of(live::Region& region, unsigned cpu) noexcept {
  return {reinterpret_cast<Entry*>(region.threads[cpu % live::kThreads].entries), kThreadSiteBits,
          kCpuProbes};
}
Table shared_table(live::Region& region) noexcept {
  return {reinterpret_cast<Entry*>(region.shared.entries), kSharedBits, kSharedProbes};
}

enum class Found { nothing, counted, rule };

// Counts under a key, and says in `word` what the count was before; or finds the rule that it has,
// packed. An entry is free while its key is 0.
Found count_in(const Table& table, SiteKey key, std::uint64_t& word) noexcept {
  for (unsigned probe = 0; probe < table.probes; ++probe) {
    Entry& entry = table.at(key, probe);
    const std::uint64_t there = entry.key.load(std::memory_order_acquire);
    if (CLOCKSHIM_LIKELY(there == key.raw())) {
      word = entry.word.fetch_add(1, std::memory_order_relaxed);
      return Found::counted;
    }
    if (there == (key.raw() | SiteKey::kRule)) {
      word = entry.word.load(std::memory_order_relaxed);
      return word != 0 ? Found::rule : Found::nothing;
    }
    if (there == 0) break;
  }
  return Found::nothing;
}

enum class Added { nothing, to_known, entry };

// Adds `word` calls under a key, or its rule. Each key has one entry at most: all that look for it
// pass the same ones, and its key is claimed first. (Else threads that meet here would fill the
// table with copies, until there is no room for other callers.) A writer that never comes back
// leaves one without calls, or a rule that the next one writes.
Added add_to(const Table& table, std::uint64_t key, std::uint64_t word) noexcept {
  const SiteKey plain{key & ~SiteKey::kRule};
  for (unsigned probe = 0; probe < table.probes; ++probe) {
    Entry& entry = table.at(plain, probe);
    std::uint64_t there = 0;
    const bool claimed = entry.key.compare_exchange_strong(there, key, std::memory_order_acq_rel);
    if (!claimed && there != key) continue;
    if ((key & SiteKey::kRule) != 0) {
      entry.word.store(word, std::memory_order_relaxed);
    } else {
      entry.word.fetch_add(word, std::memory_order_relaxed);
    }
    return claimed ? Added::entry : Added::to_known;
  }
  return Added::nothing;
}

void add(live::Region& region, unsigned cpu, std::uint64_t key, std::uint64_t word) noexcept {
  live::ThreadTable& own = region.threads[cpu % live::kThreads];
  live::note_page(region, &own, sizeof own);
  const Added added = add_to(table_of(region, cpu), key, word);
  if (added == Added::entry) std::atomic_ref(own.used).fetch_add(1, std::memory_order_relaxed);
  if (added != Added::nothing) return;
  live::note_page(region, region.shared.entries, sizeof region.shared.entries);
  if (add_to(shared_table(region), key, word) == Added::nothing && (key & SiteKey::kRule) == 0)
    CpuCounts::drop(region);
}

// The rule of the wrapper that a call from `pc` came through. False: it is no wrapper's.
bool find_rule(std::uintptr_t pc, FrameRule& rule) noexcept {
  const WrapperCode* const first = g_settings.wrappers;
  const WrapperCode* const last = first + g_settings.wrappers_used;
  // A call may be the last instruction of its function, so look up the call itself.
  const WrapperCode* const found = std::partition_point(
      first, last, [pc](const WrapperCode& code) { return code.end <= pc - 1; });
  if (found == last || pc - 1 < found->begin) return false;
  rule = FrameRule{.cfa_offset = found->cfa_offset,
                   .saved_frame = found->saved_frame,
                   .from_frame = found->from_frame,
                   .other_stack = found->other_stack};
  return true;
}

CLOCKSHIM_SLOW void begin_counting(live::Header& header) noexcept {
  header.counted.store(1, std::memory_order_relaxed);
  live::State none = live::State::none;
  header.state.compare_exchange_strong(none, live::State::running, std::memory_order_release);
}

// Counts a call of which no caller can be told.
CLOCKSHIM_SLOW void count_other(live::Region& region, const Table& table, SiteKey key,
                                unsigned cpu) noexcept {
  const SiteKey other{SiteKey::kOtherCallers, key.clock(), key.function()};
  std::uint64_t none = 0;
  if (count_in(table, other, none) == Found::nothing &&
      count_in(shared_table(region), other, none) == Found::nothing)
    add(region, cpu, other.raw(), 1);
}

// The first call of a key on a CPU. True: its frame has to be walked by the rule in `word`. False:
// the call is counted.
CLOCKSHIM_SLOW bool learn(live::Region& region, SiteKey key, const Frame* chain, unsigned depth,
                          unsigned cpu, std::uint64_t& word) noexcept {
  if (region.header.counted.load(std::memory_order_relaxed) == 0) begin_counting(region.header);
  const Found found = count_in(shared_table(region), key, word);
  if (found != Found::nothing) return found == Found::rule;
  FrameRule rule;
  if (depth <= kMostFrames && find_rule(chain[depth - 1].pc, rule)) {
    word = rule.packed();
    add(region, cpu, key.raw() | SiteKey::kRule, word);
    return true;
  }
  const SiteRegistry::Added added = registry().add(key, SiteKey{0}, chain, depth, nullptr);
  if (added.stored) {
    add(region, cpu, key.raw(), 1);
  } else {
    count_other(region, table_of(region, cpu), key, cpu);
  }
  return false;
}

// Keeps a chain of Go's, whose last frame calls count under `counted_as`. It is not in line because
// its callers' stack is somebody's alternate one.
CLOCKSHIM_SLOW void keep_chain(SiteKey key, const Frame* chain, unsigned depth,
                               SiteKey counted_as) noexcept {
  GoChain behind;
  for (unsigned i = 1; i < depth; ++i) {
    if (!behind.add(chain[i], chain[0])) return;
  }
  g_go_chains.keep(key, chain[0], behind, counted_as);
}

}  // namespace

void CpuCounts::start(live::Region& region) noexcept {
  new (g_registry) SiteRegistry(region, g_known);
}

void CpuCounts::drop(live::Region& region) noexcept {
  region.shared.dropped.fetch_add(1, std::memory_order_relaxed);
}

void CpuCounts::count_known(live::Region& region, SiteKey key, const Frame& caller, unsigned cpu,
                            SiteKey known) noexcept {
  std::uint64_t word = 0;
  if (count_in(table_of(region, cpu), known, word) != Found::counted)
    count_any(region, key, caller, cpu);
}

void CpuCounts::count_any(live::Region& region, SiteKey key, const Frame& caller,
                          unsigned cpu) noexcept {
  // A chain is kept when it is walked for the 64th time, and each 64th time until it has a place:
  // what is only walked at the start takes none.
  constexpr std::uint64_t kOften = 64;
  const SiteKey first = key;
  const Table table = table_of(region, cpu);
  Frame chain[kMostFrames + 1];
  chain[0] = caller;
  bool go = true;
  for (unsigned depth = 1;; ++depth) {
    std::uint64_t word = 0;
    const Found found = count_in(table, key, word);
    if (found == Found::counted) {
      if (go && depth > 1 && word % kOften == 0) keep_chain(first, chain, depth, key);
      return;
    }
    if (found == Found::nothing && !learn(region, key, chain, depth, cpu, word)) return;
    const FrameRule rule = FrameRule::unpacked(word);
    if (!may_follow(rule, chain[depth - 1])) return count_other(region, table, key, cpu);
    chain[depth] = rule.caller_of(chain[depth - 1]);
    key = key.behind(chain[depth].pc);
    go = go && word == kGoRule.packed();
  }
}

}  // namespace clockshim
