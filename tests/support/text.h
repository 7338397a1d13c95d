// What tests ask of a text.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <string>

namespace clockshim::test {

// How often a part is in a text, without overlap.
inline std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size()))
    ++count;
  return count;
}

inline void expect_contains(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
}

}  // namespace clockshim::test
