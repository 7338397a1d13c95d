// The CLOCKSHIM_* environment, read once at start. A setting that can't be used becomes one clear
// line. If it is about serving, the process runs on with real time: nothing is guessed. If it is
// about observing only, its default stands: observing never switches serving off.
// setting_table.h has the settings, docs/configuration.md is the text for users.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock_id.h"
#include "base/nanos.h"

namespace clockshim {

enum class Order { strict, relaxed };
enum class Profile { off, sites, stacks };
// Whether the CPUs' counters agree: found out while running, assumed from the start, or measured by
// the process that started us; or they differ by constants; or a file has it.
enum class Counters { automatic, agree, disagree, measured, aligned, file };
enum class LogLevel { off, error, warn, info, debug };

struct Settings {
  Nanos tolerance = microseconds(10);
  Order order = Order::strict;
  Profile profile = Profile::sites;
  std::uint32_t stacks_every =
      0;                    // with profile stacks: the stack of one call in this many is kept
  std::uint32_t depth = 0;  // the number of frames that are walked at each call, wrappers or not
  Counters counters = Counters::automatic;
  std::string measured_ticks;  // the largest difference that was measured between counters; "" if
                               // none was given
  std::string counters_file;   // with Counters::file: its path
  LogLevel log = LogLevel::warn;
  ClockMask clocks = all_servable();
  std::string report = "stderr";  // "stderr", "none", or a path with %p %e %h %t
  bool follow = true;
  std::string only;
  std::string skip;
  std::string dir;  // the folder of live files; "": /dev/shm/clockshim-UID
  // One line for each error: the setting, its value, and what would be right. Errors of PROFILE,
  // DEPTH, REPORT, DIR and LOG only affect observing; all others decide what is served, to which
  // programs and how.
  std::vector<std::string> serving_errors;
  std::vector<std::string> observing_errors;
};

inline const char* unless_empty(const char* value) {
  return value != nullptr && *value != '\0' ? value : nullptr;
}

// Gives read_settings() the values of variables: any callable that takes a name and returns the
// value, or null if it is unset. It refers to `f`, which must outlive it.
class SettingLookup {
 public:
  template <class F>
  SettingLookup(const F& f)  // NOLINT(google-explicit-constructor): a lambda is given as it is
      : f_(&f), call_([](const void* f_given, const char* name) -> const char* {
          return (*static_cast<const F*>(f_given))(name);
        }) {}
  // Compose files and service units set variables to nothing. Those count as unset.
  const char* operator()(const char* name) const { return unless_empty(call_(f_, name)); }

 private:
  const void* f_;
  const char* (*call_)(const void* f, const char* name);
};

Settings read_settings(SettingLookup variable);

// Why a program of this name is to be left alone ("" if it is not): ONLY, SKIP, and the time
// daemons.
std::string reason_to_skip(const Settings& settings, std::string_view program);

// Whether `name` matches one of the globs (fnmatch(3)) in a comma list.
bool matches_any(std::string_view globs, std::string_view name);

// A report path with %p (pid), %e (program), %h (host), %t (start, seconds since 1970) and %%
// replaced.
struct PathFacts {
  long pid;
  std::string program;
  std::string host;
  long start;
};
std::string expand_path(std::string_view pattern, const PathFacts& facts);

}  // namespace clockshim
