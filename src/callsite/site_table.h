// Counts per call site. Every thread counts in a table of its own: one plain add by one instruction, so a signal handler
// can't split it and no other CPU is in its way. What a site is (its frames) stands once, process-wide.
//
// All of it is static memory that is right when all zero, and is wiped in a forked child (MADV_WIPEONFORK, also for a raw
// clone): the child counts from nothing, and what the parent counted is told by the parent alone.
#pragma once

#include <atomic>
#include <cstdint>

#include "arch/counter.h"
#include "base/attributes.h"
#include "base/clock_id.h"
#include "live/site_key.h"
#include "callsite/stack.h"
#include "os/thread_index.h"

namespace clockshim {

inline constexpr unsigned kThreadSiteBits = 8;
inline constexpr unsigned kThreadSites = 1U << kThreadSiteBits;  // 4 KiB a thread, touched as used
inline constexpr unsigned kThreadSitesUsable = kThreadSites * 7 / 8;
inline constexpr unsigned kSiteBits = 12;
inline constexpr unsigned kSites = 1U << kSiteBits;
inline constexpr unsigned kOverflowBits = 10;
inline constexpr unsigned kOverflowSites = 1U << kOverflowBits;
inline constexpr unsigned kStackDepth = 8;  // frames kept of the stack at the first sight of a site
inline constexpr unsigned kModules = 256;
inline constexpr unsigned kModulePath = 256;

struct ThreadSites {
  struct Entry {
    std::uint64_t key;
    std::uint64_t count;  // or, where the key has SiteKey::kRule, a packed FrameRule
  };
  Entry entries[kThreadSites];
};
struct ThreadTotals {
  std::uint64_t real[kClockIds];  // calls that the real function answered
};

// A loaded module, as it was when a site in it was first seen. Append-only.
struct ModuleRecord {
  std::atomic<std::uint32_t> state;  // 0 free, 1 being written, 2 valid
  std::uintptr_t start, end, load_bias;
  char path[kModulePath];  // "" for the executable; cut at 255 bytes
};

struct SiteRecord {
  std::atomic<std::uint64_t> key;
  std::atomic<std::uint32_t> state;  // 0 free, 1 being written, 2 valid
  std::uint8_t frames;
  std::uint8_t exact_frames;          // the first of them that every call of this site had; the rest is as first seen
  std::uint16_t module[kStackDepth];  // kModules: none known
  std::uintptr_t pc[kStackDepth];
};

class alignas(4096) SiteTable {
 public:
  // HOT. Counts a call under a key that this thread has counted before and that is no wrapper's. False: nothing is
  // counted; call count_elsewhere().
  CLOCKSHIM_INLINE static bool count_again(SiteKey key) noexcept {
    ThreadSites* const mine = t_sites_;
    if (CLOCKSHIM_UNLIKELY(mine == nullptr)) return false;
    ThreadSites::Entry& entry = mine->entries[key.home(kThreadSiteBits)];
    if (CLOCKSHIM_UNLIKELY(entry.key != key.raw())) return false;
    Arch::increment(entry.count);
    return true;
  }

  // HOT behind a wrapper. The same for a caller behind one wrapper whose rule this thread has; `caller` is the wrapper's.
  CLOCKSHIM_INLINE static bool count_behind(SiteKey key, const Frame& caller) noexcept {
    ThreadSites* const mine = t_sites_;
    if (CLOCKSHIM_UNLIKELY(mine == nullptr)) return false;
    const ThreadSites::Entry& entry = mine->entries[key.home(kThreadSiteBits)];
    if (CLOCKSHIM_UNLIKELY(entry.key != (key.raw() | SiteKey::kRule) || entry.count == 0)) return false;
    const FrameRule rule = FrameRule::unpacked(entry.count);
    if (CLOCKSHIM_UNLIKELY(!rule.leads_near(caller))) return false;
    return count_again(key.behind(rule.return_address_of(caller)));
  }

  // Counts any call: walks through wrappers, learns a site at its first sight. `caller` is the frame that called.
  void count_elsewhere(SiteKey key, const Frame& caller) noexcept;

  // A call that the real function answered.
  void count_real(unsigned clock) noexcept;

  // Wipes all of this in forked children from now on. False: the kernel (before 4.14) can't.
  bool wipe_on_fork() noexcept;

  // For the report. f(key, count) for each key of each table, the same key several times.
  template <class F>
  void for_each_count(F f) const {
    for (unsigned thread = 0; thread < kMaxThreads; ++thread) {
      if (used_[thread] == 0) continue;  // so that an unused table's pages stay untouched
      for (const auto& e : threads_[thread].entries) {
        if (e.key != 0 && (e.key & SiteKey::kRule) == 0) f(SiteKey{e.key}, e.count);
      }
    }
    for (const auto& e : overflow_) {
      const std::uint64_t key = e.key.load(std::memory_order_acquire);
      if (key != 0 && (key & SiteKey::kRule) == 0) f(SiteKey{key}, e.count.load(std::memory_order_relaxed));
    }
  }
  [[nodiscard]] const SiteRecord* find_site(SiteKey key) const noexcept;
  [[nodiscard]] const ModuleRecord& module(unsigned index) const noexcept { return modules_[index]; }
  [[nodiscard]] std::uint64_t real_calls(unsigned clock) const noexcept;
  [[nodiscard]] std::uint64_t dropped() const noexcept { return dropped_.load(std::memory_order_relaxed); }

 private:
  struct OverflowEntry {
    std::atomic<std::uint64_t> key;
    std::atomic<std::uint64_t> count;
  };

  enum class Found { nothing, counted, rule };

  Found look_up(ThreadSites* table, SiteKey key, FrameRule& rule) noexcept;
  CLOCKSHIM_SLOW bool first_sight(SiteKey key, const Frame* chain, unsigned depth, ThreadSites* table, FrameRule& rule) noexcept;
  ThreadSites* attach() noexcept;
  void insert(ThreadSites* table, std::uint64_t key, std::uint64_t amount) noexcept;
  void add_site(SiteKey key, const Frame* chain, unsigned depth, bool may_learn) noexcept;
  void follow_stack(SiteRecord& site, Frame frame) noexcept;
  unsigned module_of(std::uintptr_t pc) noexcept;

  static CLOCKSHIM_TLS ThreadSites* t_sites_;
  static CLOCKSHIM_TLS bool t_no_table_;

  ThreadSites threads_[kMaxThreads]{};
  ThreadTotals totals_[kMaxThreads]{};
  std::uint64_t used_[kMaxThreads]{};  // entries of each thread's table
  OverflowEntry overflow_[kOverflowSites]{};
  SiteRecord sites_[kSites]{};
  ModuleRecord modules_[kModules]{};
  std::atomic<std::uint64_t> overflow_real_[kClockIds]{};
  std::atomic<std::uint64_t> dropped_{};
  std::atomic<bool> learning_{};
};

extern constinit SiteTable g_sites;

}  // namespace clockshim
