// Pads text to the columns of a table, by characters and not by bytes. Text that is wider than its
// column stays whole.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "report/text.h"

namespace clockshim {

inline std::string column_padding(std::string_view text, std::size_t width) {
  std::size_t length = 0;
  for_each_character(text, [&](std::string_view) { ++length; });
  return std::string(width - std::min(width, length), ' ');
}

inline std::string left_column(const std::string& text, std::size_t width) {
  return text + column_padding(text, width);
}

inline std::string right_column(const std::string& text, std::size_t width) {
  return column_padding(text, width) + text;
}

}  // namespace clockshim
