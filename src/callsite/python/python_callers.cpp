#include "callsite/python/python_callers.h"

#include <charconv>
#include <cstring>
#include <iterator>

#include "live/names.h"

namespace clockshim {

using live::kSiteDepth;

namespace {

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

CPythonIs PythonCallers::look_at(live::Region& region, const Module& module) noexcept {
  std::uint32_t version = 0;
  const CPythonIs here = g_cpython.look_at(module, version);
  if (here != CPythonIs::known && here != CPythonIs::absent)
    note_unread(region, here, version, module);
  return here;
}

void PythonCallers::find(CodeMemo* memo, unsigned most, PythonFrames& out) noexcept {
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

SiteKey PythonCallers::key_behind(SiteKey key, const PythonFrames& python) noexcept {
  for (unsigned i = 0; i < python.count; ++i) key = key.behind(python.keys[i]);
  return python.count == 0 ? key.behind(0) : key;
}

bool PythonCallers::find_again(const CodeMemo& memo, unsigned most, SiteKey& key) noexcept {
  std::uintptr_t frame = g_cpython.running();
  if (frame == 0) key = key.behind(0);
  for (unsigned i = 0; frame != 0;) {
    const std::uint64_t function = memo.find(g_cpython, g_cpython.executable_of(frame));
    if (CLOCKSHIM_UNLIKELY(function == 0)) return false;
    key = key.behind(function);
    if (CLOCKSHIM_LIKELY(++i == most)) break;
    frame = g_cpython.behind(frame);
  }
  return true;
}

bool PythonCallers::number(live::Region& region, std::uintptr_t frame,
                           std::uint16_t& out) noexcept {
  PythonCode code;
  if (!g_cpython.read_code(g_cpython.executable_of(frame), code)) return false;
  live::Name name{};
  g_cpython.name(code, name);
  bool fresh = false;
  const unsigned number = live::number_of_name(region, g_cpython.key_of(code), name, fresh);
  if (fresh) names_used_.fetch_add(1, std::memory_order_relaxed);
  out = static_cast<std::uint16_t>(number);
  return number != live::kNames;
}

bool PythonCallers::number_all(live::Region& region, PythonFrames& python) noexcept {
  for (unsigned i = 0; i < python.count; ++i) {
    if (!number(region, python.frames[i], python.numbers[i])) return false;
  }
  return true;
}

unsigned PythonCallers::first_stack(live::Region& region, live::SiteRecord& site, unsigned exact,
                                    std::uintptr_t last) noexcept {
  unsigned all = exact;
  for (std::uintptr_t frame = g_cpython.behind(last); frame != 0 && all < kSiteDepth;
       frame = g_cpython.behind(frame)) {
    const bool room =
        names_used_.load(std::memory_order_relaxed) < live::room_for_names(region) / 4 * 3;
    std::uint16_t at = 0;
    if (!room || !number(region, frame, at)) break;
    site.pc[all] = at;
    site.module[all++] = live::kNamed;
  }
  return all;
}

unsigned PythonCallers::whole_stack(live::Region& region, std::uintptr_t frame, std::uint64_t* out,
                                    unsigned most, bool& cut) noexcept {
  unsigned depth = 0;
  for (std::uint16_t at = 0; frame != 0 && depth < most && number(region, frame, at);
       frame = g_cpython.behind(frame)) {
    out[depth++] = live::kNamedFrame | at;
  }
  cut = frame != 0;
  return depth;
}

}  // namespace clockshim
