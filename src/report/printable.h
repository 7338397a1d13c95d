// Makes text from outside (names of programs, paths, symbols) safe to print on a terminal and in a
// line of a table.
#pragma once

#include <string>
#include <string_view>

namespace clockshim {

// Replaces control characters, which a terminal might obey, by '?': ASCII's, and C1 in UTF-8 (C2 80
// to C2 9F).
inline std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    const auto next = static_cast<unsigned char>(i + 1 < text.size() ? text[i + 1] : 0);
    const bool c1 = c == 0xC2 && next >= 0x80 && next < 0xA0;
    out += c < 0x20 || c == 0x7F || c1 ? '?' : text[i];
    i += c1 ? 1 : 0;
  }
  return out;
}

}  // namespace clockshim
