// The header of a region, in words: what a viewer is told of the process and of how it is served.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "live/layout.h"
#include "os/settings.h"

namespace clockshim::live {

// Copies a text into a field that is all zero, and cuts what does not fit.
template <std::size_t N>
void put(char (&field)[N], std::string_view text) {
  std::memcpy(field, text.data(), std::min(text.size(), N - 1));
}

// What is known of a process that begins.
struct ProcessFacts {
  std::uint32_t pid = 0;
  std::uint64_t start_ticks = 0;  // as Header::start_ticks
  std::uint32_t run_pid = 0;      // as Header::run_pid
  std::string_view program;
  std::string_view executable;
  std::string_view clocksource;
  std::string_view mode;
  std::string_view mode_reason;
  std::span<const std::string> notes;
};

// Fills in a header that is all zero. The process began just now. What is too long for its field is
// cut.
void describe(Header& header, const Settings& settings, const ProcessFacts& process);

}  // namespace clockshim::live
