// Measures the clocks here: which of them the vDSO serves, what a call of each costs (bare, as a
// system call and under the shim), and how the counter behaves relative to the kernel's clock.
#pragma once

#include <array>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/machine/timing.h"

namespace clockshim::cli {

struct MeasuredClock {
  clockid_t id;
  std::string_view name;
};
inline constexpr std::array<MeasuredClock, 9> kMeasuredClocks{{
    {CLOCK_REALTIME, "realtime"},
    {CLOCK_REALTIME_COARSE, "realtime_coarse"},
    {CLOCK_MONOTONIC, "monotonic"},
    {CLOCK_MONOTONIC_COARSE, "monotonic_coarse"},
    {CLOCK_MONOTONIC_RAW, "monotonic_raw"},
    {CLOCK_BOOTTIME, "boottime"},
    {CLOCK_TAI, "tai"},
    {CLOCK_PROCESS_CPUTIME_ID, "process_cputime"},
    {CLOCK_THREAD_CPUTIME_ID, "thread_cputime"},
}};

enum class ServedBy : std::uint8_t { vdso, system_call, unknown };

struct ClockCosts {
  std::string_view name;
  bool there = true;  // false: this kernel has no such clock
  ServedBy served_by = ServedBy::unknown;
  Cost bare;
  Cost raw;
};

struct Measured {
  std::vector<ClockCosts> clocks;  // in the order of kMeasuredClocks
  bool vdso_proved = false;        // false: guessed from the costs of calls
  std::optional<Cost> counter;     // rdtsc; none if it must not be read
  std::optional<Cost> fenced;
  std::optional<Cost> with_cpu;  // rdtscp
  Cost null_syscall;             // the cheapest system call
  Frequency frequency;           // of the counter, by CLOCK_MONOTONIC
  double pace_change_ppm = 0;    // between the two halves of the measurement
  double pace_error_ppm = 0;     // how much of that may be measurement error
};

// Finds out what answers a program's clock_gettime: a child process installs a filter that lets the
// system call fail, so a call that succeeds was none. None if no filter can be installed.
std::optional<std::vector<ServedBy>> prove_vdso();

// Measures, for `budget` for each clock and way of reading it.
Measured measure_clocks(Nanos budget, bool counter_allowed, bool has_rdtscp);

// A timebase for this thread's CPU, calibrated for `length`.
Timebase calibrate(Nanos length, bool counter_allowed);

const ClockCosts* find_clock(const Measured& measured, std::string_view name);

}  // namespace clockshim::cli
