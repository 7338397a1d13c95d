// Formats figures for people.
#pragma once

#include <cstdint>
#include <string>

namespace clockshim::cli {

std::string printed(const char* format, double value);  // printf of one double

inline std::string ns(double value) { return printed(value < 100 ? "%.1f ns" : "%.0f ns", value); }
inline std::string mhz(double value) { return printed("%.3f MHz", value); }
inline std::string ppm(double value) { return printed("%+.1f ppm", value); }

}  // namespace clockshim::cli
