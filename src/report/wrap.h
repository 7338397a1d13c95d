// Wraps text to a width, by characters and not by bytes. Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "report/text.h"

namespace clockshim {

// The lines of `text`, each of at most `width` characters. A line ends at a blank in its second
// half, or else wherever it is full, so that a long name takes as few lines as it can. `text`
// should be one line (one_line()).
inline std::vector<std::string> wrapped(std::string_view text, std::size_t width) {
  std::vector<std::string> lines(1);
  std::size_t characters = 0;  // of the last line
  std::size_t blank = 0;       // where the line may end: bytes and characters before the blank
  std::size_t before_blank = 0;
  for_each_character(text, [&](std::string_view c) {
    if (characters == width) {
      std::string rest;
      if (c == " ") {
        blank = 0;
      } else if (before_blank > width / 2) {
        rest = lines.back().substr(blank + 1);
        lines.back().resize(blank);
        characters -= before_blank + 1;
      } else {
        characters = 0;
      }
      lines.push_back(rest);
      if (c == " ") characters = 0;
      blank = before_blank = 0;
      if (c == " ") return;
    }
    if (c == " ") {
      blank = lines.back().size();
      before_blank = characters;
    }
    lines.back() += c;
    ++characters;
  });
  return lines;
}

// Puts `first` before the first line of a text, and as many blanks before the others. All lines
// together are at most `width` wide, as far as that leaves room, and end in line feeds.
inline std::string wrapped_behind(const std::string& first, std::string_view text,
                                  std::size_t width) {
  constexpr std::size_t kLeast = 20;
  std::size_t indent = 0;
  for_each_character(first, [&](std::string_view) { ++indent; });
  std::string out;
  for (const std::string& line : wrapped(text, width < indent + kLeast ? kLeast : width - indent))
    out += (out.empty() ? first : std::string(indent, ' ')) + line + "\n";
  return out;
}

}  // namespace clockshim
