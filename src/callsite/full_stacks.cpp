#include "callsite/full_stacks.h"

#include <algorithm>

#include "arch/counter.h"
#include "base/attributes.h"
#include "live/write_same.h"

extern "C" void* __libc_stack_end;  // ld.so's: where the main thread's stack began

namespace clockshim {

namespace {

// A stack is followed up to this far above its innermost frame. A table that leads further away is
// not believed.
constexpr std::uintptr_t kStackReach = 1U << 20;
constexpr std::uintptr_t kLargestStack =
    64U << 20;  // an address further below the top is taken not to be on that stack
constexpr std::uint64_t kNone = ~0ULL;  // no FrameRule packs to this

// Knuth's multiplicative hash, by 2^64 / phi.
unsigned home_of(std::uint64_t key, unsigned bits) {
  return static_cast<unsigned>(key * 0x9E3779B97F4A7C15ULL >> (64 - bits));
}

}  // namespace

std::uintptr_t stack_limit(std::uintptr_t stack) noexcept {
  const std::uintptr_t tops[] = {reinterpret_cast<std::uintptr_t>(__libc_stack_end),
                                 Arch::thread_pointer()};
  for (const std::uintptr_t top : tops) {
    if (top > stack && top - stack < kLargestStack) return std::min(top, stack + kStackReach);
  }
  return stack;
}

CLOCKSHIM_LARGE constinit FullStacks g_stacks;
CLOCKSHIM_TLS std::uint64_t FullStacks::t_until_due_ = 0;
CLOCKSHIM_TLS std::uint64_t FullStacks::t_random_ = 0;

bool FullStacks::rule_of(std::uintptr_t pc, FrameRule& out) noexcept {
  constexpr unsigned kProbes = 16;
  for (unsigned probe = 0; probe < 2 * kProbes; ++probe) {
    const unsigned bits = probe < kProbes ? kFirstRuleBits : kRuleBits;
    Rule& rule = rules_[(home_of(pc, bits) + probe) % (1U << bits)];
    std::uint64_t there = 0;
    if (!rule.pc.compare_exchange_strong(there, pc, std::memory_order_acq_rel) && there != pc)
      continue;
    std::uint64_t word = rule.word.load(std::memory_order_acquire);
    if (word == 0) {  // or another thread is learning it, and finds the same
      word = learn_rule(pc, out) ? out.packed() : kNone;
      rule.word.store(word, std::memory_order_release);
    }
    if (word == kNone) return false;
    out = FrameRule::unpacked(word);
    return true;
  }
  return learn_rule(pc, out);  // this corner of the table is full
}

unsigned FullStacks::walk(Frame frame, std::uint64_t* out, unsigned most, bool& cut) noexcept {
  const std::uintptr_t limit = stack_limit(frame.stack);
  unsigned depth = 0;
  cut = false;
  for (FrameRule rule; rule_of(frame.pc, rule);) {
    const std::uintptr_t cfa = rule.cfa(frame);
    if (cfa <= frame.stack || cfa > limit) return depth;
    frame = rule.caller_of(frame);
    if (frame.pc == 0) return depth;
    if (depth == most) {
      cut = true;
      return depth;
    }
    out[depth++] = frame.pc;  // it is kept even if no module contains it: a map may give a name to
                              // JIT code. The walk ends there
  }
  return depth;
}

// A signal handler may draw gaps on top of this. Then a gap is drawn in vain, or a number twice.
bool FullStacks::due() noexcept {
  if (every_ == 0) return false;
  if (CLOCKSHIM_UNLIKELY(t_until_due_ == 0)) {
    // The counter differs between children, the thread pointer between threads that begin at once.
    t_random_ = Arch::unordered().raw() ^ Arch::thread_pointer() << 20;
    t_until_due_ = gaps_.next(t_random_);
  }
  if (CLOCKSHIM_LIKELY(--t_until_due_ != 0)) return false;
  t_until_due_ = gaps_.next(t_random_);
  return true;
}

void FullStacks::keep(live::Region& region, SiteKey key, const std::uint64_t* frames,
                      unsigned depth, bool cut) noexcept {
  const std::uint32_t room =
      region.header.sections[static_cast<unsigned>(live::SectionId::stacks)].count;
  for (unsigned i = 1; i < depth; ++i) key = key.behind(frames[i]);
  constexpr unsigned kProbes = 64;  // a stack is dropped if no slot is free within so many
  for (unsigned probe = 0; probe < kProbes && room == live::kStacks; ++probe) {
    live::StackRecord& record =
        region.stacks[(home_of(key.raw(), live::kStackBits) + probe) % live::kStacks];
    std::uint64_t there = record.key.load(std::memory_order_acquire);
    if (there != 0 && there != key.raw()) continue;
    if (there == 0 &&
        !record.key.compare_exchange_strong(there, key.raw(), std::memory_order_acq_rel) &&
        there != key.raw())
      continue;
    const bool known = record.state.load(std::memory_order_acquire) == live::kValid;
    if (!known) live::note_page(region, &record, sizeof record);
    record.samples.fetch_add(1, std::memory_order_relaxed);
    if (known) return;
    for (unsigned i = 0; i < depth; ++i) live::write_same(record.pc[i], frames[i]);
    live::write_same(record.depth, static_cast<std::uint16_t>(depth));
    live::write_same(record.cut, static_cast<std::uint16_t>(cut ? 1 : 0));
    record.state.store(live::kValid, std::memory_order_release);
    return;
  }
  region.shared.dropped_samples.fetch_add(1, std::memory_order_relaxed);
}

void FullStacks::forget(std::uintptr_t start, std::uintptr_t end) noexcept {
  for (Rule& rule : rules_) {
    if (rule.pc.load(std::memory_order_acquire) - start < end - start)
      rule.word.store(0, std::memory_order_release);
  }
}

}  // namespace clockshim
