// Durations as people write them in settings: a number and a unit, "500ns", "10us", "1.5ms".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/nanos.h"

namespace clockshim {

// Parses a duration of 0 to one hour. Fractions of a nanosecond are cut, and "0" needs no unit.
// Returns no value for text that is not a duration, negative, too large, or empty. Does not
// allocate, and ignores the locale.
inline std::optional<Nanos> parse_duration(std::string_view text) {
  constexpr std::uint64_t kLongest = 3600ULL * kNanosPerSecond;
  constexpr std::uint64_t kBillion = 1'000'000'000;
  std::uint64_t whole = 0;
  std::uint64_t billionths = 0;  // of the unit
  std::uint64_t place = kBillion;
  bool behind_point = false;
  bool digits = false;
  for (; !text.empty(); text.remove_prefix(1)) {
    const char c = text.front();
    if (c == '.' && !behind_point) {
      behind_point = true;
    } else if (c >= '0' && c <= '9') {
      const auto digit = static_cast<std::uint64_t>(c - '0');
      digits = true;
      if (behind_point) {
        place /= 10;
        billionths += digit * place;
      } else {
        whole = whole * 10 + digit;
        if (whole > kLongest) return std::nullopt;
      }
    } else {
      break;
    }
  }
  if (!digits) return std::nullopt;
  std::uint64_t factor = 0;
  if (text == "ns" || (text.empty() && whole == 0 && billionths == 0)) factor = 1;
  if (text == "us" || text == "\u00b5s" || text == "\u03bcs") factor = 1000;
  if (text == "ms") factor = 1'000'000;
  if (text == "s") factor = kBillion;
  if (factor == 0 || whole > kLongest / factor) return std::nullopt;
  const std::uint64_t nanos = whole * factor + billionths * factor / kBillion;
  if (nanos > kLongest) return std::nullopt;
  return Nanos{static_cast<std::int64_t>(nanos)};
}

// The shortest spelling with at most three digits behind the point: "10us", "1.5ms", "812ns".
inline std::string format_duration(Nanos n) {
  struct Unit {
    std::int64_t size;
    std::string_view name;
  };
  constexpr Unit kUnits[] = {{1'000'000'000, "s"}, {1'000'000, "ms"}, {1000, "us"}, {1, "ns"}};
  for (const auto& unit : kUnits) {
    if (magnitude(n).raw() < unit.size && unit.size != 1) continue;
    std::string text = std::to_string(n.raw() / unit.size);
    std::string fraction =
        std::to_string(1000 + magnitude(n).raw() % unit.size * 1000 / unit.size).substr(1);
    while (!fraction.empty() && fraction.back() == '0') fraction.pop_back();
    if (!fraction.empty()) text += "." + fraction;
    return text + std::string(unit.name);
  }
  return "0ns";
}

}  // namespace clockshim
