// Durations as people write them in settings: a number and a unit, "500ns", "10us", "1.5ms".
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/nanos.h"

namespace clockshim {

// Nanoseconds, 0 to one hour; fractions of a nanosecond are cut. "0" needs no unit. No value: not a duration, negative,
// too large, or empty. Does not allocate, does not look at the locale.
inline std::optional<Nanos> parse_duration(std::string_view text) {
  constexpr double kLongest = 3600e9;
  double number = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (error != std::errc{} || !(number >= 0)) return std::nullopt;
  const std::string_view unit(rest, static_cast<std::size_t>(text.data() + text.size() - rest));
  double factor = 0;
  if (unit == "ns" || (unit.empty() && number == 0)) factor = 1;
  if (unit == "us" || unit == "\u00b5s" || unit == "\u03bcs") factor = 1e3;
  if (unit == "ms") factor = 1e6;
  if (unit == "s") factor = 1e9;
  if (factor == 0 || number * factor > kLongest) return std::nullopt;
  return Nanos{static_cast<std::int64_t>(number * factor + 1e-6)};
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
    std::string fraction = std::to_string(1000 + magnitude(n).raw() % unit.size * 1000 / unit.size).substr(1);
    while (!fraction.empty() && fraction.back() == '0') fraction.pop_back();
    if (!fraction.empty()) text += "." + fraction;
    return text + std::string(unit.name);
  }
  return "0ns";
}

}  // namespace clockshim
