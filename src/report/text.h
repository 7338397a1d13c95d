// Makes text from outside (names, paths) fit for a format: UTF-8, JSON, XML. Pure functions.
#pragma once

#include <charconv>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace clockshim {

inline constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

// The length of the UTF-8 character at the start of `s` (RFC 3629: not overlong, no surrogates); 0:
// there is none.
inline std::size_t utf8_length(std::string_view s) {
  const auto at = [&](std::size_t i) {
    return i < s.size() ? static_cast<unsigned char>(s[i]) : 0U;
  };
  const auto tail = [&](std::size_t from, std::size_t to) {
    for (std::size_t i = from; i < to; ++i) {
      if ((at(i) & 0xC0U) != 0x80U) return false;
    }
    return true;
  };
  const unsigned lead = at(0);
  if (s.empty()) return 0;
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead < 0xE0) return tail(1, 2) ? 2 : 0;
  if (lead >= 0xE0 && lead < 0xF0) {
    const bool sane = (lead != 0xE0 || at(1) >= 0xA0) && (lead != 0xED || at(1) < 0xA0);
    return sane && tail(1, 3) ? 3 : 0;
  }
  if (lead >= 0xF0 && lead < 0xF5) {
    const bool sane = (lead != 0xF0 || at(1) >= 0x90) && (lead != 0xF4 || at(1) < 0x90);
    return sane && tail(1, 4) ? 4 : 0;
  }
  return 0;
}

// Calls f with each character of `s`, and with U+FFFD for each byte that belongs to none.
template <class F>
void for_each_character(std::string_view s, F f) {
  while (!s.empty()) {
    const std::size_t length = utf8_length(s);
    f(length == 0 ? kReplacement : s.substr(0, length));
    s.remove_prefix(length == 0 ? 1 : length);
  }
}

// Whether it is a control character that a terminal would obey: C0, DEL or C1.
inline bool is_control(std::string_view character) {
  if (character.size() == 2)
    return character[0] == '\xC2' && static_cast<unsigned char>(character[1]) < 0xA0;
  return character.size() == 1 &&
         (static_cast<unsigned char>(character[0]) < 0x20 || character[0] == 0x7F);
}

// Makes one line of valid UTF-8: control characters become blanks.
inline std::string one_line(std::string_view s) {
  std::string out;
  for_each_character(s,
                     [&](std::string_view c) { out += is_control(c) ? std::string_view(" ") : c; });
  return out;
}

// Replaces control characters by '?'. All other bytes stay, valid or not, so that a path can still
// be opened.
inline std::string printable(std::string_view s) {
  std::string out;
  while (!s.empty()) {
    const std::string_view character = s.substr(0, utf8_length(s) == 0 ? 1 : utf8_length(s));
    out += is_control(character) ? std::string_view("?") : character;
    s.remove_prefix(character.size());
  }
  return out;
}

// Shortens `s` to `most` characters, by leaving out the middle, which matters least in a long C++
// name.
inline std::string shortened(const std::string& s, std::size_t most) {
  std::size_t characters = 0;
  for_each_character(s, [&](std::string_view) { ++characters; });
  if (characters <= most) return s;
  if (most < 3) return std::string(most, '.');
  const std::size_t tail = most / 3;
  std::string out;
  std::size_t i = 0;
  for_each_character(s, [&](std::string_view c) {
    if (i < most - tail - 2 || i >= characters - tail) out += c;
    if (++i == most - tail - 2) out += "..";
  });
  return out;
}

// Makes a JSON string with its quotes (RFC 8259). '<' is escaped, so that it may be used in a
// page's script.
inline std::string json_quoted(std::string_view s) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string out = "\"";
  for_each_character(s, [&](std::string_view c) {
    const auto first = static_cast<unsigned char>(c[0]);
    if (first < 0x20 || first == '<') {
      out += std::string("\\u00") + kHex[first >> 4] + kHex[first & 15U];
    } else {
      if (first == '"' || first == '\\') out += '\\';
      out += c;
    }
  });
  return out + "\"";
}

// Escapes text for XML and HTML, in content and in attributes. Characters that XML 1.0 can't
// represent (control characters except line feed) become U+FFFD.
inline std::string markup(std::string_view s) {
  std::string out;
  for_each_character(s, [&](std::string_view c) {
    switch (c[0]) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      case '\n': out += '\n'; break;
      default:
        out += is_control(c) || c == "\xEF\xBF\xBE" || c == "\xEF\xBF\xBF" ? kReplacement : c;
    }
  });
  return out;
}

// Formats a number as 1,234,567.
inline std::string grouped(std::uint64_t n) {
  const std::string digits = std::to_string(n);
  std::string out;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i != 0 && (digits.size() - i) % 3 == 0) out += ',';
    out += digits[i];
  }
  return out;
}

// Formats a number as "1f", without leading zeros; and bytes, such as a build-id's, with two digits
// each.
inline std::string hexadecimal(std::uint64_t n) {
  char digits[16];
  return std::string(digits, std::to_chars(digits, digits + sizeof digits, n, 16).ptr);
}

inline std::string hexadecimal(std::span<const std::uint8_t> bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (const std::uint8_t byte : bytes) {
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15U];
  }
  return out;
}

inline double percent(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0.0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace clockshim
