// What options take: each function makes a Take, which puts a value of the command line where the
// command will find it, or says what would be right.
#pragma once

#include <charconv>
#include <optional>
#include <string>

#include "base/duration.h"
#include "cli/console/command_line.h"

namespace clockshim::cli {

// A process id is a number and nothing else. A file with such a name can be given as ./NAME.
inline std::optional<long> process_id(const std::string& text) {
  long pid = 0;
  const char* const end = text.data() + text.size();
  const auto [behind, error] = std::from_chars(text.data(), end, pid);
  if (error != std::errc{} || behind != end || pid <= 0) return std::nullopt;
  return pid;
}

// Any text.
inline Take text_into(std::string& out) {
  return [&out](const std::string& value) {
    out = value;
    return std::string();
  };
}

// The path of a file that will be written.
inline Take file_into(std::string& out) {
  return [&out](const std::string& value) -> std::string {
    out = value;
    return value.empty() ? "must be a file that can be written" : "";
  };
}

// A duration of at least `least`. `right` says so in words.
inline Take duration_into(Nanos& out, Nanos least, std::string right) {
  return [&out, least, right = std::move(right)](const std::string& value) -> std::string {
    const auto duration = parse_duration(value);
    if (!duration || *duration < least) return right;
    out = *duration;
    return "";
  };
}

}  // namespace clockshim::cli
