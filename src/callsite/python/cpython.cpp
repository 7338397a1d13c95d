#include "callsite/python/cpython.h"

#include <algorithm>
#include <cstring>

namespace clockshim {

constinit CPython g_cpython;

namespace {

constexpr std::uint64_t kLongest = 1U << 16;  // characters; no function has a longer name
constexpr std::uint64_t kMixed =
    4096;  // bytes of a name that are hashed, to distinguish it from others

// Writes one character as UTF-8, and returns its bytes. Half of a surrogate pair, which Python uses
// in a file name that is not UTF-8, becomes U+FFFD.
unsigned utf8(std::uint64_t c, char (&out)[4]) {
  if (c >= 0xD800 && c < 0xE000) c = 0xFFFD;
  const auto tail = [c](unsigned shift) { return static_cast<char>(0x80U | (c >> shift & 0x3FU)); };
  if (c < 0x80) {
    out[0] = static_cast<char>(c);
    return 1;
  }
  if (c < 0x800) {
    out[0] = static_cast<char>(0xC0U | c >> 6);
    out[1] = tail(0);
    return 2;
  }
  if (c < 0x10000) {
    out[0] = static_cast<char>(0xE0U | c >> 12);
    out[1] = tail(6);
    out[2] = tail(0);
    return 3;
  }
  out[0] = static_cast<char>(0xF0U | (c >> 18 & 7U));
  out[1] = tail(12);
  out[2] = tail(6);
  out[3] = tail(0);
  return 4;
}

}  // namespace

CPythonIs CPython::look_at(const Module& module, std::uint32_t& version) noexcept {
  const State state = state_.load(std::memory_order_acquire);
  const bool is_this = module.map_start == start_.load(std::memory_order_relaxed);
  if (is_this && (state == State::kept || state == State::fits)) return CPythonIs::known;
  CPythonSymbols found;
  const CPythonIs is = check_cpython(module, found);
  version = found.version;
  if (is != CPythonIs::known) return is;
  if (state == State::unfit && is_this) return CPythonIs::of_unknown_build;
  std::uintptr_t start = 0;
  if (!start_.compare_exchange_strong(start, module.map_start, std::memory_order_acq_rel) &&
      start != module.map_start)
    return CPythonIs::second;
  // Whoever finds it begun completes it, because the thread that began may never come back. Both
  // write the same.
  size_ = module.map_end - module.map_start;
  symbols_ = found;
  layout_ = *found.layout;
  State none = State::none;
  state_.compare_exchange_strong(none, State::kept, std::memory_order_acq_rel);
  return CPythonIs::known;
}

void CPython::forget(std::uintptr_t start) noexcept {
  if (start_.load(std::memory_order_acquire) != start) return;
  state_.store(State::none, std::memory_order_release);
  start_.store(0, std::memory_order_release);  // last: from here on there is room for another
}

// Checks the layout: two accessors of CPython must return the same for this thread's state as we
// read. Once is enough.
bool CPython::fits_now() noexcept {
  State state = state_.load(std::memory_order_acquire);
  if (state != State::kept) return state == State::fits;
  const std::uintptr_t own = symbols_.own_state();
  if (own == 0 || own != symbols_.running_state()) return false;  // it can't be read now
  const bool fits = plausible(own) &&
                    symbols_.interpreter_of(own) == word_at(own + layout_.interpreter) &&
                    symbols_.id_of(own) == word_at(own + layout_.id);
  state_.compare_exchange_strong(state, fits ? State::fits : State::unfit,
                                 std::memory_order_acq_rel);
  return fits;
}

bool CPython::text_of(std::uintptr_t object, Text& out) const noexcept {
  if (!plausible(object) || word_at(object + CPythonLayout::kType) != symbols_.str_type)
    return false;
  const auto state = *reinterpret_cast<const std::uint32_t*>(object + CPythonLayout::kState);
  constexpr std::uint32_t kCompact = 1U << 5;
  constexpr std::uint32_t kAscii = 1U << 6;
  const bool ascii = (state & kAscii) != 0;
  out.kind = state >> 2 & 7U;
  out.length = word_at(object + CPythonLayout::kLength);
  out.data = reinterpret_cast<const unsigned char*>(
      object + (ascii ? layout_.ascii_data : layout_.compact_data));
  const bool known_kind = out.kind == 1 || (!ascii && (out.kind == 2 || out.kind == 4));
  return (state & kCompact) != 0 && known_kind && out.length <= kLongest;
}

// A hash of its length and its last 16 bytes (including some of its own header, if it is shorter).
// It is this short because each call computes it.
std::uint64_t CPython::own_hash_of(std::uintptr_t str) const noexcept {
  Text text;
  if (!text_of(str, text)) return kNoHash;
  const auto end = reinterpret_cast<std::uintptr_t>(text.data) + text.length * text.kind;
  const std::uint64_t size = text.length << 3 | text.kind;
  return (stirred(size, word_at(end - sizeof size)) ^
          std::rotl(word_at(end - 2 * sizeof size), 7)) &
         ~1ULL;
}

std::uint64_t CPython::Text::character(std::uint64_t i) const noexcept {
  const unsigned char* const at = data + i * kind;
  std::uint32_t c = 0;
  std::memcpy(&c, at, kind);  // little-endian
  return c;
}

// Two sums are kept, so that one multiplication need not wait for the other. The last eight bytes
// are read together with those before them, which are the string's own header if it is shorter.
std::uint64_t CPython::mixed(std::uint64_t hash, const Text& text) noexcept {
  constexpr std::uint64_t kWord = sizeof(std::uint64_t);
  const std::uint64_t size = std::min(text.length * text.kind, kMixed);
  std::uint64_t other = text.length << 3 | text.kind;
  const auto word = [&text](std::uint64_t at) {
    return word_at(reinterpret_cast<std::uintptr_t>(text.data) + at);
  };
  std::uint64_t at = 0;
  for (; at + 2 * kWord <= size; at += 2 * kWord) {
    hash = stirred(hash, word(at));
    other = stirred(other, word(at + kWord));
  }
  if (at + kWord <= size) other = stirred(other, word(at));
  if (size != 0)
    hash = stirred(hash,
                   size >= kWord ? word(size - kWord) : word(size - kWord) >> 8 * (kWord - size));
  return stirred(hash, other);
}

bool CPython::read_code(std::uintptr_t object, PythonCode& out) const noexcept {
  if (!plausible(object) || word_at(object + CPythonLayout::kType) != symbols_.code_type)
    return false;
  out.code = object;
  out.qualname = word_at(object + layout_.qualname);
  out.filename = word_at(object + layout_.filename);
  out.first_line = *reinterpret_cast<const std::uint32_t*>(object + layout_.first_line);
  Text text;
  if (!text_of(out.qualname, text) || !text_of(out.filename, text)) return false;
  out.qualname_hash = hash_of(out.qualname);
  out.filename_hash = hash_of(out.filename);
  return true;
}

std::uint64_t CPython::key_of(const PythonCode& code) const noexcept {
  std::uint64_t key = code.first_line;
  for (const std::uintptr_t name : {code.qualname, code.filename}) {
    Text text;
    if (text_of(name, text)) key = mixed(key, text);
  }
  return key | 1U;
}

// Writes from the end backwards, because the end matters in a long path or a nested function's
// name. A name that is cut begins with "..".
void CPython::put(const Text& text, char* out, std::size_t size) noexcept {
  char character[4];
  std::size_t bytes = 0;
  std::uint64_t first = text.length;
  while (first > 0) {
    const unsigned more = utf8(text.character(first - 1), character);
    if (bytes + more >= size) break;
    bytes += more;
    --first;
  }
  constexpr std::size_t kMark = 2;
  if (first > 0) {
    for (std::size_t freed = size - 1 - bytes; freed < kMark; ++first) {
      const unsigned less = utf8(text.character(first), character);
      freed += less;
      bytes -= less;
    }
    std::memset(out, '.', kMark);
    out += kMark;
  }
  for (std::uint64_t i = first; i < text.length; ++i) {
    const unsigned more = utf8(text.character(i), character);
    std::memcpy(out, character, more);
    out += more;
  }
  *out = '\0';
}

void CPython::name(const PythonCode& code, live::Name& out) const noexcept {
  out.line = code.first_line;
  out.kind = live::NameKind::python;
  Text text;
  if (text_of(code.qualname, text)) put(text, out.symbol, sizeof out.symbol);
  if (text_of(code.filename, text)) put(text, out.file, sizeof out.file);
}

}  // namespace clockshim
