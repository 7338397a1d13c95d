#include "callsite/chain_walker.h"

#include "callsite/full_stacks.h"
#include "callsite/retire_unloaded.h"
#include "callsite/thread_counts.h"
#include "callsite/wrappers.h"

namespace clockshim {

using live::kSiteDepth;
using live::ThreadTable;
using Found = CallCounts::Found;

namespace {

// Whether a rule leads to a place on the frame's stack. An application's frame may be large; then
// the end of the stack must be known for certain.
bool leads_up(const FrameRule& rule, const Frame& frame) noexcept {
  if (CLOCKSHIM_LIKELY(rule.leads_near(frame))) return true;
  const std::uintptr_t cfa = rule.cfa(frame);
  return cfa > frame.stack && cfa <= stack_limit(frame.stack);
}

}  // namespace

void ChainWalker::count(SiteKey key, const Frame& caller) noexcept {
  if (CLOCKSHIM_UNLIKELY(sites_.full() || sites_.generated_full()) && g_stacks.every() == 0) {
    ThreadCounts::attach(counts_.region());
    if (first_calls_.count_without_site(key, &caller, 1)) return;
  }
  // HOT in Python: C frames that this thread has walked before, and functions that it knows.
  if (ThreadMemos* const memos = ThreadCounts::memos(); memos != nullptr) {
    std::uint64_t last = 0;
    const unsigned depth = memos->chains.of(key, caller).find_interpreted(key, caller, last);
    SiteKey known{last};
    if (depth != 0 && PythonCallers::find_again(memos->codes, python_depth(depth), known) &&
        (ThreadCounts::count_again(known) || ThreadCounts::count_in_next_slot(known)))
      return;
  }
  ThreadTable* const table = ThreadCounts::attach(counts_.region());
  Frame chain[kMaxWalked + 1];
  chain[0] = caller;
  const unsigned in_c = walk(key, chain, table);
  if (g_stacks.due()) sample(key, chain, in_c);
}

// Walks from chain[0] on, and counts. Returns the number of C frames if Python is behind them, else
// 0.
unsigned ChainWalker::walk(SiteKey key, Frame* chain, ThreadTable* table) noexcept {
  const SiteKey innermost = key;
  FrameRule rules[kMaxWalked + 1];
  for (unsigned depth = 1;; ++depth) {
    const Frame& frame = chain[depth - 1];
    FrameRule& rule = rules[depth - 1];
    ThreadTable::Entry* mine = nullptr;
    const Found found = counts_.count(table, key, rule, mine);
    if (found == Found::nothing && !learn(key, chain, depth, table, rule)) return 0;
    if (ThreadMemos* const memos = ThreadCounts::memos();
        mine != nullptr && memos != nullptr && (found == Found::counted || rule.interpreted))
      memos->chains.of(innermost, chain[0]).remember(innermost, chain, rules, depth, *mine);
    if (found == Found::counted) return 0;
    if (rule.interpreted) {
      count_interpreted(key, chain, depth, table);
      return depth;
    }
    if (depth > kMaxWalked ||
        !leads_up(rule, frame)) {  // a stale rule: count the call under the wrapper
      first_calls_.count_unwalked(key, chain, depth);
      return 0;
    }
    chain[depth] = rule.caller_of(frame);
    key = key.behind(chain[depth].pc);
  }
}

// Handles a key that this thread has not counted yet. True: its frame has to be walked by `rule`.
// False: the call is counted.
bool ChainWalker::learn(SiteKey key, const Frame* chain, unsigned depth, ThreadTable* table,
                        FrameRule& rule) noexcept {
  if (first_calls_.count_without_site(key, chain, depth)) return false;
  const Frame& frame = chain[depth - 1];
  Module module;
  if (depth <= kMaxWalked && !first_calls_.crowded() && find_module(frame.pc, module)) {
    const CPythonIs python = python_behind(module, chain, depth);
    // Where Python runs, its functions are the callers, not the interpreter's: CLOCKSHIM_DEPTH
    // applies to those.
    const bool walked = (depth <= always_walked_ && python != CPythonIs::known) ||
                        in_wrapper(module, frame.pc, depth);
    const bool learned = walked && rule_from_table(module, frame.pc, rule);
    if (!learned) rule = FrameRule{.interpreted = python == CPythonIs::known};
    if (learned || rule.interpreted) {
      counts_.add(table, key.raw() | SiteKey::kRule, rule.packed(),
                  retired_key(counts_.region(), key, chain, depth).raw());
      return true;
    }
  }
  first_calls_.count_new(key, chain, depth, table);
  return false;
}

// Finds out what is behind the last frame of a chain, which is in `module`: Python functions, if
// one of the frames is CPython's.
CPythonIs ChainWalker::python_behind(const Module& module, const Frame* chain,
                                     unsigned depth) const noexcept {
  if (PythonCallers::look_at(counts_.region(), module) == CPythonIs::known) return CPythonIs::known;
  const bool on_the_way = std::any_of(chain, chain + depth - 1,
                                      [](const Frame& frame) { return g_cpython.holds(frame.pc); });
  return on_the_way ? CPythonIs::known : CPythonIs::absent;
}

// How many Python functions are told apart behind so many C frames.
unsigned ChainWalker::python_depth(unsigned chain) const noexcept {
  return std::clamp(always_walked_, 1U, kSiteDepth - chain);
}

// Counts a call with Python functions behind it. `key` is the key of the last C frame, whose entry
// says so.
void ChainWalker::count_interpreted(SiteKey key, const Frame* chain, unsigned depth,
                                    ThreadTable* table) noexcept {
  live::Region& region = counts_.region();
  ThreadMemos* const memos =
      table != nullptr ? memos_of(static_cast<unsigned>(table - region.threads)) : nullptr;
  PythonFrames python;
  PythonCallers::find(memos != nullptr ? &memos->codes : nullptr, python_depth(depth), python);
  SiteKey with = PythonCallers::key_behind(key, python);
  FrameRule nameless;
  ThreadTable::Entry* mine = nullptr;
  Found found = counts_.count(table, with, nameless, mine);
  if (found == Found::counted) return;
  if (sites_.full() && !counts_.may_know(with))
    return counts_.count_folded(SiteKey::kOtherCallers, with, chain[0]);
  // Where there is no room for more names, this function is counted as no function from now on.
  if (found != Found::nothing || !python_.number_all(region, python)) {
    if (found == Found::nothing && !first_calls_.crowded())
      counts_.add(table, with.raw() | SiteKey::kRule, FrameRule{.interpreted = true}.packed());
    python.count = 0;
    with = PythonCallers::key_behind(key, python);
    found = counts_.count(table, with, nameless, mine);
    if (found == Found::counted) return;
  }
  if (python.count == 0) {  // perhaps because its memory was found to be laid out in an unexpected
                            // way, which must be reported
    Module module;
    for (unsigned i = 0; i < depth; ++i) {
      if (find_module(chain[i].pc, module)) PythonCallers::look_at(region, module);
    }
  }
  first_calls_.count_new(with, chain, depth, table, &python);
}

// Samples the whole stack of a call. The frames behind the first `in_c` frames of `chain` are
// Python's; 0: none are.
void ChainWalker::sample(SiteKey key, const Frame* chain, unsigned in_c) noexcept {
  std::uint64_t frames[live::kStackDepth];
  unsigned depth = 0;
  bool cut = false;
  const std::uintptr_t python = in_c != 0 ? g_cpython.running() : 0;
  do frames[depth] = chain[depth].pc;
  while (++depth < in_c);
  const unsigned room = live::kStackDepth - depth;
  depth += python == 0 ? g_stacks.walk(chain[depth - 1], frames + depth, room, cut)
                       : python_.whole_stack(counts_.region(), python, frames + depth, room, cut);
  g_stacks.keep(counts_.region(), key, frames, depth, cut);
}

}  // namespace clockshim
