// Counts calls that came through CPython under the Python function that made them. Part of
// SiteTable.
//
// The chain of such a call ends with the C function that the Python code has called (time_time for
// time.time()). Its next link is not another C function's frame, but the function that the
// interpreter runs. Its name is stored at the first call, because at the exit of the process
// nothing of it is left.
#include <algorithm>
#include <charconv>
#include <cstring>

#include "callsite/full_stacks.h"
#include "callsite/python/cpython.h"
#include "callsite/site_table.h"
#include "callsite/thread_memos.h"
#include "live/names.h"

namespace clockshim {

namespace {

using live::kSiteDepth;
using live::ThreadTable;

// "3.14.0rc2", as Py_Version has it; "" for 0.
void put_version(std::uint32_t version, char* out, char* end) {
  if (version == 0) return;
  const auto number = [&](std::uint32_t n) { out = std::to_chars(out, end, n).ptr; };
  number(version >> 24);
  *out++ = '.';
  number(version >> 16 & 0xFFU);
  *out++ = '.';
  number(version >> 8 & 0xFFU);
  const unsigned level = version >> 4 & 0xFU;
  if (level >= 0xF) return;
  if (level == 0xC) *out++ = 'r';
  *out++ = level == 0xA ? 'a' : level == 0xB ? 'b' : 'c';
  number(version & 0xFU);
}

// Notes, for the report, which Python's functions it can't name, and why.
void note_unread(live::Region& region, CPythonIs why, std::uint32_t version, const Module& module) {
  live::Name name{};
  name.kind = why == CPythonIs::of_unknown_version ? live::NameKind::unread_version
              : why == CPythonIs::second           ? live::NameKind::unread_second
                                                   : live::NameKind::unread_build;
  put_version(version, name.symbol, std::end(name.symbol));
  std::strncpy(name.file, module.path, sizeof name.file - 1);
  const SiteKey key =
      SiteKey{version}.behind(static_cast<std::uintptr_t>(why)).behind(module.map_start);
  bool fresh = false;
  live::number_of_name(region, key.raw(), name, fresh);
}

}  // namespace

// Finds out what is behind the last frame of a chain, which is in `module`: Python functions, if
// one of the frames is CPython's.
CPythonIs SiteTable::python_behind(const Module& module, const Frame* chain,
                                   unsigned depth) noexcept {
  std::uint32_t version = 0;
  const CPythonIs here = g_cpython.look_at(module, version);
  if (here == CPythonIs::known) return here;
  if (here != CPythonIs::absent) note_unread(*region_, here, version, module);
  const bool on_the_way = std::any_of(chain, chain + depth - 1,
                                      [](const Frame& frame) { return g_cpython.holds(frame.pc); });
  return on_the_way ? CPythonIs::known : CPythonIs::absent;
}

// The key of a call whose last C frame has `key`, with the functions of `python` behind it. There
// are none if the call is made without the interpreter's lock (in the time-out of a lock), or by a
// thread that runs no Python.
SiteKey SiteTable::key_behind(SiteKey key, const PythonFrames& python) noexcept {
  for (unsigned i = 0; i < python.count; ++i) key = key.behind(python.keys[i]);
  return python.count == 0 ? key.behind(0) : key;
}

void SiteTable::find_python(const ThreadTable* table, unsigned most, PythonFrames& out) noexcept {
  ThreadMemos* const memos =
      table != nullptr ? memos_of(static_cast<unsigned>(table - region_->threads)) : nullptr;
  CodeMemo* const memo = memos != nullptr ? &memos->codes : nullptr;
  out.count = 0;
  for (std::uintptr_t frame = g_cpython.running(); frame != 0 && out.count < most;
       frame = g_cpython.behind(frame)) {
    const std::uintptr_t object = g_cpython.executable_of(frame);
    std::uint64_t key = memo != nullptr ? memo->find(g_cpython, object) : 0;
    if (key == 0) {
      PythonCode code;
      if (!g_cpython.read_code(object, code)) return;
      key = g_cpython.key_of(code);
      if (memo != nullptr) memo->remember(code, key, &out);
    }
    out.frames[out.count] = frame;
    out.keys[out.count++] = key;
  }
}

unsigned SiteTable::python_depth(unsigned chain) const noexcept {
  return std::clamp(always_walked_, 1U, kSiteDepth - chain);
}

// Counts a call by C frames that this thread has walked before, if it has counted their Python
// functions before, too. False: nothing is counted.
bool SiteTable::count_python_again(SiteKey key, unsigned depth) noexcept {
  const CodeMemo& memo = t_memos_->codes;
  const unsigned most = python_depth(depth);
  std::uintptr_t frame = g_cpython.running();
  if (frame == 0) key = key.behind(0);
  for (unsigned i = 0; frame != 0;) {
    const std::uint64_t function = memo.find(g_cpython, g_cpython.executable_of(frame));
    if (CLOCKSHIM_UNLIKELY(function == 0)) return false;
    key = key.behind(function);
    if (CLOCKSHIM_LIKELY(++i == most)) break;
    frame = g_cpython.behind(frame);
  }
  return count_again(key) || count_beside(key);
}

// Counts a call with Python functions behind it. `key` is the key of the last C frame, whose entry
// says so.
void SiteTable::count_interpreted(SiteKey key, const Frame* chain, unsigned depth,
                                  ThreadTable* table) noexcept {
  PythonFrames python;
  find_python(table, python_depth(depth), python);
  SiteKey with = key_behind(key, python);
  FrameRule nameless;
  ThreadTable::Entry* mine = nullptr;
  Found found = look_up(table, with, nameless, mine);
  if (found == Found::counted) return;
  if (full() && !knows(with)) return count_folded(SiteKey::kOtherCallers, with, chain[0]);
  bool named = found == Found::nothing;
  for (unsigned i = 0; named && i < python.count; ++i)
    named = number(python.frames[i], python.numbers[i]);
  if (!named) {  // there is no room for more names: from now on this function is counted as no
                 // function
    if (found == Found::nothing && !crowded())
      insert(table, with.raw() | SiteKey::kRule, FrameRule{.interpreted = true}.packed());
    python.count = 0;
    with = key_behind(key, python);
    found = look_up(table, with, nameless, mine);
    if (found == Found::counted) return;
  }
  if (python.count == 0) {  // perhaps because its memory was found to be laid out in an unexpected
                            // way, which must be reported
    Module module;
    for (unsigned i = 0; i < depth; ++i) {
      if (find_module(chain[i].pc, module)) static_cast<void>(python_behind(module, chain, i + 1));
    }
  }
  count_new(with, chain, depth, table, &python);
}

// Finds or creates the number of a frame's name. False: there is no room for it.
bool SiteTable::number(std::uintptr_t frame, std::uint16_t& out) noexcept {
  PythonCode code;
  if (!g_cpython.read_code(g_cpython.executable_of(frame), code)) return false;
  live::Name name{};
  g_cpython.name(code, name);
  bool fresh = false;
  const unsigned number = live::number_of_name(*region_, g_cpython.key_of(code), name, fresh);
  if (fresh) names_used_.fetch_add(1, std::memory_order_relaxed);
  out = static_cast<std::uint16_t>(number);
  return number != live::kNames;
}

// Writes the Python functions behind the exact ones, as they are now. A quarter of the room for
// names is kept for functions that call the clock themselves.
unsigned SiteTable::add_first_seen_python(live::SiteRecord& site, unsigned exact,
                                          std::uintptr_t last) noexcept {
  unsigned all = exact;
  for (std::uintptr_t frame = g_cpython.behind(last); frame != 0 && all < kSiteDepth;
       frame = g_cpython.behind(frame)) {
    const bool room =
        names_used_.load(std::memory_order_relaxed) < live::room_for_names(*region_) / 4 * 3;
    std::uint16_t at = 0;
    if (!room || !number(frame, at)) break;
    site.pc[all] = at;
    site.module[all++] = live::kNamed;
  }
  return all;
}

// Samples the whole stack of a call. The frames behind the first `in_c` frames of `chain` are
// Python's; 0: none are.
void SiteTable::sample(SiteKey key, const Frame* chain, unsigned in_c) noexcept {
  std::uint64_t frames[live::kStackDepth];
  unsigned depth = 0;
  bool cut = false;
  std::uintptr_t python = in_c != 0 ? g_cpython.running() : 0;
  do frames[depth] = chain[depth].pc;
  while (++depth < in_c);
  if (python == 0)
    depth += g_stacks.walk(chain[depth - 1], frames + depth, live::kStackDepth - depth, cut);
  for (std::uint16_t at = 0; python != 0 && depth < live::kStackDepth && number(python, at);
       python = g_cpython.behind(python)) {
    frames[depth++] = live::kNamedFrame | at;
  }
  g_stacks.keep(*region_, key, frames, depth, cut || python != 0);
}

}  // namespace clockshim
