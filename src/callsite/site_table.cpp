#include "callsite/site_table.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>

#include "callsite/wrappers.h"
#include "os/module.h"

extern "C" void* __libc_stack_end;  // ld.so's: where the main thread's stack began

namespace clockshim {

namespace {

constexpr std::uint32_t kFree = 0;
constexpr std::uint32_t kWriting = 1;
constexpr std::uint32_t kValid = 2;
constexpr unsigned kMaxWrappers = 6;  // a wrapper around a wrapper, and so on
// How far above the innermost frame the stack of a first sight is followed. Frames of a real stack lie this close; a
// table that leads further away is not believed.
constexpr std::uintptr_t kStackReach = 256U << 10;
constexpr std::uintptr_t kLargestStack = 64U << 20;  // further from its top, an address is taken not to be on that stack

// Held while libunwind is asked. Not waited for: who finds it taken (a signal handler over the learner, another thread)
// counts this one call without learning.
class LearningGuard {
 public:
  explicit LearningGuard(std::atomic<bool>& flag) : flag_(flag), held_(!flag.exchange(true, std::memory_order_acquire)) {}
  ~LearningGuard() {
    if (held_) flag_.store(false, std::memory_order_release);
  }
  LearningGuard(const LearningGuard&) = delete;
  LearningGuard& operator=(const LearningGuard&) = delete;
  [[nodiscard]] bool held() const { return held_; }

 private:
  std::atomic<bool>& flag_;
  bool held_;
};

// Up to where the stack is certainly mapped, seen from an address on it: the C library puts the thread control block above
// the stack of each thread that it makes, and knows where the main thread's stack ends. Elsewhere (coroutines, alternate
// signal stacks): nothing is certain, and the stack is not followed.
std::uintptr_t stack_limit(std::uintptr_t stack) noexcept {
  const std::uintptr_t tops[] = {reinterpret_cast<std::uintptr_t>(__libc_stack_end), Arch::thread_pointer()};
  for (const std::uintptr_t top : tops) {
    if (top > stack && top - stack < kLargestStack) return std::min(top, stack + kStackReach);
  }
  return stack;
}

}  // namespace

CLOCKSHIM_TLS ThreadSites* SiteTable::t_sites_ = nullptr;
CLOCKSHIM_TLS bool SiteTable::t_no_table_ = false;

constinit SiteTable g_sites;

ThreadSites* SiteTable::attach() noexcept {
  if (t_sites_ != nullptr || t_no_table_) return t_sites_;
  const unsigned index = this_thread_index();
  if (index == kNoThread) {
    t_no_table_ = true;
  } else {
    t_sites_ = &threads_[index];
  }
  return t_sites_;
}

void SiteTable::count_elsewhere(SiteKey key, const Frame& caller) noexcept {
  ThreadSites* const table = attach();
  Frame chain[kMaxWrappers + 1];
  Frame frame = caller;
  for (unsigned depth = 1;; ++depth) {
    chain[depth - 1] = frame;
    FrameRule rule;
    switch (look_up(table, key, rule)) {
      case Found::counted: return;
      case Found::rule: break;
      case Found::nothing:
        if (!first_sight(key, chain, depth, table, rule)) return;
    }
    if (depth > kMaxWrappers || !rule.leads_near(frame)) {  // a stale rule: the call is counted under the wrapper
      add_site(key, chain, depth, false);
      insert(nullptr, key.raw(), 1);
      return;
    }
    frame = rule.caller_of(frame);
    key = key.behind(frame.pc);
  }
}

// In this thread's table, else in the shared one. A rule entry whose word is still 0 is being written by the code that we,
// a signal handler, have interrupted: this call is counted under the wrapper itself.
auto SiteTable::look_up(ThreadSites* table, SiteKey key, FrameRule& rule) noexcept -> Found {
  if (table != nullptr) {
    const unsigned home = key.home(kThreadSiteBits);
    for (unsigned probe = 0; probe < kThreadSites; ++probe) {
      ThreadSites::Entry& entry = table->entries[(home + probe) % kThreadSites];
      if (entry.key == 0) break;
      if (entry.key == key.raw()) {
        Arch::increment(entry.count);
        return Found::counted;
      }
      if (entry.key == (key.raw() | SiteKey::kRule) && entry.count != 0) {
        rule = FrameRule::unpacked(entry.count);
        return Found::rule;
      }
    }
  }
  const unsigned home = key.home(kOverflowBits);
  for (unsigned probe = 0; probe < kOverflowSites; ++probe) {
    OverflowEntry& entry = overflow_[(home + probe) % kOverflowSites];
    const std::uint64_t there = entry.key.load(std::memory_order_acquire);
    if (there == 0) break;
    const std::uint64_t word = entry.count.load(std::memory_order_acquire);
    if (there == key.raw()) {
      entry.count.fetch_add(1, std::memory_order_relaxed);
      return Found::counted;
    }
    if (there == (key.raw() | SiteKey::kRule) && word != 0) {
      rule = FrameRule::unpacked(word);
      return Found::rule;
    }
  }
  return Found::nothing;
}

// A key that this thread has not counted yet. True: it is a wrapper's, and `rule` leads on. False: counted.
bool SiteTable::first_sight(SiteKey key, const Frame* chain, unsigned depth, ThreadSites* table, FrameRule& rule) noexcept {
  const LearningGuard guard(learning_);
  const Frame& frame = chain[depth - 1];
  Module module;
  if (depth <= kMaxWrappers && find_module(frame.pc, module) && in_wrapper(module, frame.pc)) {
    if (guard.held() && learn_rule(frame.pc, rule) && rule.leads_near(frame)) {
      insert(table, key.raw() | SiteKey::kRule, rule.packed());
      return true;
    }
    if (!guard.held()) table = nullptr;  // not in this thread's table: there the rule is still to come
  }
  add_site(key, chain, depth, guard.held());
  insert(table, key.raw(), 1);
  return false;
}

// Adds `amount` (or, for a rule, stores the word) under a new or known key. The key is claimed first and by a locked
// exchange: a signal handler may be doing the same.
void SiteTable::insert(ThreadSites* table, std::uint64_t key, std::uint64_t amount) noexcept {
  if (table != nullptr && used_[table - threads_] < kThreadSitesUsable) {
    const unsigned home = SiteKey{key & ~SiteKey::kRule}.home(kThreadSiteBits);
    for (unsigned probe = 0; probe < kThreadSites; ++probe) {
      ThreadSites::Entry& entry = table->entries[(home + probe) % kThreadSites];
      std::uint64_t expected = 0;
      const bool fresh = std::atomic_ref(entry.key).compare_exchange_strong(expected, key, std::memory_order_acq_rel);
      if (!fresh && expected != key) continue;
      if ((key & SiteKey::kRule) != 0) {
        std::atomic_ref(entry.count).store(amount, std::memory_order_release);
      } else {
        Arch::increment(entry.count);
      }
      if (fresh) Arch::increment(used_[table - threads_]);
      return;
    }
  }
  const unsigned home = SiteKey{key & ~SiteKey::kRule}.home(kOverflowBits);
  for (unsigned probe = 0; probe < kOverflowSites; ++probe) {
    OverflowEntry& entry = overflow_[(home + probe) % kOverflowSites];
    std::uint64_t expected = 0;
    if (!entry.key.compare_exchange_strong(expected, key, std::memory_order_acq_rel) && expected != key) continue;
    if ((key & SiteKey::kRule) != 0) {
      entry.count.store(amount, std::memory_order_release);
    } else {
      entry.count.fetch_add(amount, std::memory_order_relaxed);
    }
    return;
  }
  if ((key & SiteKey::kRule) == 0) dropped_.fetch_add(amount, std::memory_order_relaxed);
}

void SiteTable::count_real(unsigned clock) noexcept {
  const ThreadSites* table = attach();
  if (table != nullptr) {
    Arch::increment(totals_[table - threads_].real[clock]);
  } else {
    overflow_real_[clock].fetch_add(1, std::memory_order_relaxed);
  }
}

std::uint64_t SiteTable::real_calls(unsigned clock) const noexcept {
  std::uint64_t sum = overflow_real_[clock].load(std::memory_order_relaxed);
  for (unsigned thread = 0; thread < kMaxThreads; ++thread) {
    if (used_[thread] != 0) sum += totals_[thread].real[clock];
  }
  return sum;
}

// Keeps what the site is: the exact frames of its chain and, where libunwind is free, the stack behind them as it is now.
void SiteTable::add_site(SiteKey key, const Frame* chain, unsigned depth, bool may_learn) noexcept {
  const unsigned home = key.home(kSiteBits);
  for (unsigned probe = 0; probe < kSites; ++probe) {
    SiteRecord& site = sites_[(home + probe) % kSites];
    std::uint64_t expected = 0;
    if (!site.key.compare_exchange_strong(expected, key.raw(), std::memory_order_acq_rel) && expected != key.raw()) continue;
    std::uint32_t state = kFree;
    if (!site.state.compare_exchange_strong(state, kWriting, std::memory_order_acq_rel)) return;  // known, or at it
    site.exact_frames = static_cast<std::uint8_t>(std::min(depth, kStackDepth));
    site.frames = 0;
    for (; site.frames < site.exact_frames; ++site.frames) {
      site.pc[site.frames] = chain[site.frames].pc;
      site.module[site.frames] = static_cast<std::uint16_t>(module_of(chain[site.frames].pc));
    }
    if (may_learn) follow_stack(site, chain[depth - 1]);
    site.state.store(kValid, std::memory_order_release);
    return;
  }
}

void SiteTable::follow_stack(SiteRecord& site, Frame frame) noexcept {
  const std::uintptr_t limit = stack_limit(frame.stack);
  FrameRule rule;
  while (site.frames < kStackDepth && learn_rule(frame.pc, rule)) {
    const std::uintptr_t cfa = rule.cfa(frame);
    if (cfa <= frame.stack || cfa > limit) return;
    frame = rule.caller_of(frame);
    const unsigned module = module_of(frame.pc);
    if (module == kModules) return;  // not code that anybody loaded: the stack's end, or JIT
    site.pc[site.frames] = frame.pc;
    site.module[site.frames] = static_cast<std::uint16_t>(module);
    ++site.frames;
  }
}

unsigned SiteTable::module_of(std::uintptr_t pc) noexcept {
  Module found;
  if (!find_module(pc, found)) return kModules;
  for (unsigned i = 0; i < kModules; ++i) {
    ModuleRecord& record = modules_[i];
    std::uint32_t state = kFree;
    if (record.state.compare_exchange_strong(state, kWriting, std::memory_order_acq_rel)) {
      record.start = found.map_start;
      record.end = found.map_end;
      record.load_bias = found.load_bias;
      std::strncpy(record.path, found.path, kModulePath - 1);
      record.state.store(kValid, std::memory_order_release);
      return i;
    }
    // The path too: after dlclose another module may stand in the same place.
    if (state == kValid && record.start == found.map_start && record.end == found.map_end &&
        std::strncmp(record.path, found.path, kModulePath - 1) == 0) {
      return i;
    }
  }
  return kModules;
}

const SiteRecord* SiteTable::find_site(SiteKey key) const noexcept {
  const unsigned home = key.home(kSiteBits);
  for (unsigned probe = 0; probe < kSites; ++probe) {
    const SiteRecord& site = sites_[(home + probe) % kSites];
    const std::uint64_t there = site.key.load(std::memory_order_acquire);
    if (there == 0) return nullptr;
    if (there == key.raw()) return site.state.load(std::memory_order_acquire) == kValid ? &site : nullptr;
  }
  return nullptr;
}

bool SiteTable::wipe_on_fork() noexcept { return madvise(this, sizeof *this, MADV_WIPEONFORK) == 0; }

}  // namespace clockshim
