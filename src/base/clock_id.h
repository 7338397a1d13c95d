// The kernel clocks that can be served, and the functions that are interposed. Numbers are the
// kernel's (linux/time.h).
#pragma once

#include <array>
#include <cstdint>
#include <ctime>
#include <string_view>

namespace clockshim {

// Ids 0 to 15 index per-clock state directly. Those that can't be served have an empty timeline.
inline constexpr unsigned kClockIds = 16;

struct ServableClock {
  clockid_t id;
  std::string_view name;  // as in CLOCKSHIM_CLOCKS and in the report
};

inline constexpr std::array<ServableClock, 5> kServableClocks{{
    {CLOCK_REALTIME, "realtime"},
    {CLOCK_MONOTONIC, "monotonic"},
    {CLOCK_MONOTONIC_RAW, "monotonic_raw"},
    {CLOCK_BOOTTIME, "boottime"},
    {CLOCK_TAI, "tai"},
}};

using ClockMask = std::uint32_t;  // bit n: clock id n

constexpr ClockMask mask_of(clockid_t id) { return ClockMask{1} << static_cast<unsigned>(id); }

constexpr ClockMask all_servable() {
  ClockMask mask = 0;
  for (const auto& clock : kServableClocks) mask |= mask_of(clock.id);
  return mask;
}

// The name of any clock id, "other" for dynamic and CPU-time clocks outside 0..15.
constexpr std::string_view clock_name(unsigned id) {
  constexpr std::array<std::string_view, kClockIds> names{"realtime",
                                                          "monotonic",
                                                          "process_cputime",
                                                          "thread_cputime",
                                                          "monotonic_raw",
                                                          "realtime_coarse",
                                                          "monotonic_coarse",
                                                          "boottime",
                                                          "realtime_alarm",
                                                          "boottime_alarm",
                                                          "other",
                                                          "tai",
                                                          "other",
                                                          "other",
                                                          "other",
                                                          "other"};
  return id < kClockIds ? names[id] : "other";
}

// Ids outside 0..15 are all counted under this one.
inline constexpr unsigned kOtherClock = 15;
constexpr unsigned clock_index(clockid_t id) {
  return static_cast<unsigned>(id) < kClockIds ? static_cast<unsigned>(id) : kOtherClock;
}

// The interposed functions.
enum class Function : std::uint8_t { clock_gettime = 0, gettimeofday = 1, timespec_get = 2 };

constexpr std::string_view function_name(Function f) {
  constexpr std::array<std::string_view, 3> names{"clock_gettime", "gettimeofday", "timespec_get"};
  return names[static_cast<unsigned>(f)];
}

}  // namespace clockshim
