// The counters file: what a comparison of the CPUs' counters has found, for all processes until the
// next boot. The command writes it. The library reads it once, at start, where the kernel does not
// vouch for the counters, and believes nothing in it that it can check.
//
// Two places are looked at, in this order: kSystemCounters, which root writes for all, and the
// user's own, $XDG_RUNTIME_DIR/clockshim/counters.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/nanos.h"

namespace clockshim {

inline constexpr const char* kSystemCounters = "/run/clockshim/counters";
inline constexpr const char* kOwnCounters = "/clockshim/counters";  // in XDG_RUNTIME_DIR
inline constexpr unsigned kCountersCpus = 256;

// A comparison is believed for this long after it was last confirmed: a timer confirms it each
// hour.
inline constexpr Nanos kCountersKeep{std::int64_t{25} * 3600 * kNanosPerSecond};

enum class CountersVerdict : std::uint32_t {
  agree = 1,     // all offsets are 0
  constant = 2,  // the counters differ by constants: the offsets
  differ = 3     // they differ, and by no constants
};

// The file's content, in the byte order of the machine. A boot never sees another one's.
struct CountersFile {
  static constexpr char kMagic[8] = {'c', 'l', 'k', 'c', 'n', 't', 'r', 's'};
  static constexpr std::uint32_t kVersion = 1;

  char magic[8];
  std::uint32_t version;
  CountersVerdict verdict;
  char boot[40];           // /proc/sys/kernel/random/boot_id; zeros behind it
  char writer[64];         // the program and version that wrote it, for people
  std::int64_t compared;   // CLOCK_BOOTTIME when these offsets were first found, ns
  std::int64_t confirmed;  // and when they were last found to be right
  std::int64_t slept;      // CLOCK_BOOTTIME - CLOCK_MONOTONIC then
  std::uint32_t possible;  // how many CPUs the machine can have
  std::uint32_t cpus;      // how many were compared
  std::uint64_t within;    // ticks: no corrected counter is ahead of another by more
  std::uint64_t margin;    // ticks: a handoff would have to be faster than the fastest one seen by
                           // this, to show time going back
  std::uint64_t compared_cpus[kCountersCpus / 64];  // bit n: CPU n was compared
  std::int64_t
      offsets[kCountersCpus];  // ticks by which each CPU's counter is ahead; the least is 0
  std::uint64_t checksum;      // checksum_of() all that is before it

  [[nodiscard]] bool has(unsigned cpu) const noexcept {
    return cpu < kCountersCpus && (compared_cpus[cpu / 64] >> cpu % 64 & 1U) != 0;
  }
};
static_assert(sizeof(CountersFile) == 2256);

// The 64-bit FNV-1a hash of a file's content before its checksum. It finds damage, not forgery;
// against that, the file's owner and mode are looked at.
std::uint64_t checksum_of(const CountersFile& file) noexcept;

// What a file has to agree with.
struct CountersExpected {
  std::string_view boot;  // the boot id
  Nanos boottime;         // CLOCK_BOOTTIME now
  Nanos slept;            // CLOCK_BOOTTIME - CLOCK_MONOTONIC now
  unsigned possible;      // how many CPUs the machine can have
};

// Why a file's content can't be used; null if it can.
const char* counters_problem(const CountersFile& file, const CountersExpected& expected) noexcept;

// Reads the file at `path`. Null: `out` has it. Otherwise why it can't be used: "" if there is no
// such file. Only a plain file is believed that is root's or this user's, that nobody else may
// write to, and whose content agrees with the machine as it is now. Allocates nothing.
const char* read_counters(const char* path, CountersFile& out) noexcept;

// The machine as it is now. `boot` is a part of `buffer`.
CountersExpected counters_expected(char (&buffer)[40]) noexcept;

// Begins a file for the machine as it is now: compared and confirmed just now, with no CPU yet and
// no checksum. False: the kernel doesn't say which boot this is.
bool begin_counters(CountersFile& file, CountersVerdict verdict, std::string_view writer) noexcept;

}  // namespace clockshim
