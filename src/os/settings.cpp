#include "os/settings.h"

#include <fnmatch.h>

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <utility>

#include "base/duration.h"

namespace clockshim {
namespace {

constexpr std::size_t kLongestFolder = 200;  // so that a file's path fits into 256 bytes
// Some names are cut at 15 characters, because the kernel cuts a thread's name there and some of
// our callers pass that.
constexpr std::string_view kTimeDaemons =
    "chronyd,ntpd,ptp4l,phc2sys,timesyncd,systemd-timesyn,systemd-timesyncd,openntpd,ntpsec";

std::string complaint(std::string_view name, std::string_view value, std::string_view right) {
  return std::string(name) + "=\"" + std::string(value) + "\": " + std::string(right);
}

// Calls f(item) for each item of a comma list, empty items too.
template <class F>
void for_each_item(std::string_view list, F f) {
  for (;;) {
    const auto comma = list.find(',');
    f(list.substr(0, comma));
    if (comma == std::string_view::npos) return;
    list.remove_prefix(comma + 1);
  }
}

template <class T>
using Choices = std::initializer_list<std::pair<std::string_view, T>>;

template <class T>
void read_choice(SettingLookup variable, const char* name, Choices<T> choices, T& out,
                 std::vector<std::string>& errors) {
  const char* value = variable(name);
  if (value == nullptr) return;
  std::string right = "must be one of";
  for (const auto& [spelling, choice] : choices) {
    if (spelling == value) {
      out = choice;
      return;
    }
    right += " " + std::string(spelling);
  }
  errors.push_back(complaint(name, value, right));
}

void read_tolerance(const char* value, Settings& s) {
  const auto tolerance = parse_duration(value);
  if (!tolerance || *tolerance > Nanos{kNanosPerSecond}) {
    s.serving_errors.push_back(complaint("CLOCKSHIM_TOLERANCE", value,
                                         "must be a duration from 0 to 1s, such as 500ns, 10us or "
                                         "1ms (0: serve nothing, only count)"));
  } else {
    s.tolerance = *tolerance;
  }
}

constexpr int kDeepest = 6;  // a site's record has room for this many, and the caller's own

constexpr std::uint32_t kStacksEvery =
    1000;  // each takes some 2 us: at most a thousandth of a busy thread's time

void read_profile(std::string_view value, Settings& s) {
  constexpr std::string_view kSampled = "stacks:";
  const char* const end = value.data() + value.size();
  if (value == "off") {
    s.profile = Profile::off;
  } else if (value == "sites") {
    s.profile = Profile::sites;
  } else if (value == "stacks") {
    s.profile = Profile::stacks;
    s.stacks_every = kStacksEvery;
  } else if (const auto digits = value.substr(std::min(value.size(), kSampled.size()));
             value.starts_with(kSampled) &&
             std::from_chars(digits.data(), end, s.stacks_every).ptr == end && s.stacks_every > 0) {
    s.profile = Profile::stacks;
  } else {
    s.observing_errors.push_back(complaint(
        "CLOCKSHIM_PROFILE", value,
        "must be off, sites, stacks or stacks:N (one call in N, N from 1 to 4294967295)"));
  }
}

void read_depth(std::string_view value, Settings& s) {
  if (value.size() == 1 && value[0] >= '0' && value[0] <= '0' + kDeepest) {
    s.depth = static_cast<std::uint32_t>(value[0] - '0');
  } else {
    s.observing_errors.push_back(complaint(
        "CLOCKSHIM_DEPTH", value,
        "must be a number from 0 to 6 (frames behind each caller that are counted apart)"));
  }
}

void read_folder(std::string_view value, Settings& s) {
  if (value.starts_with('/') && value.size() < kLongestFolder) {
    s.dir = value;
  } else {
    s.observing_errors.push_back(
        complaint("CLOCKSHIM_DIR", value, "must be an absolute path of less than 200 characters"));
  }
}

// `clockshim run` sets "measured:TICKS", and the report repeats it.
void read_counters(SettingLookup variable, Settings& s) {
  constexpr const char* kName = "CLOCKSHIM_COUNTERS";
  constexpr std::string_view kMeasured = "measured:";
  const char* value = variable(kName);
  if (value != nullptr && std::string_view(value).starts_with(kMeasured)) {
    const std::string_view ticks = std::string_view(value).substr(kMeasured.size());
    if (!ticks.empty() && ticks.size() <= 20 &&
        ticks.find_first_not_of("0123456789") == std::string_view::npos) {
      s.counters = Counters::measured;
      s.measured_ticks = ticks;
    } else {
      s.serving_errors.push_back(
          complaint(kName, value, "must have a number of ticks behind the colon"));
    }
    return;
  }
  read_choice(variable, kName,
              {{"auto", Counters::automatic},
               {"agree", Counters::agree},
               {"disagree", Counters::disagree},
               {"measured", Counters::measured}},
              s.counters, s.serving_errors);
}

void read_clocks(const char* value, Settings& s) {
  s.clocks = 0;
  bool good = true;
  for_each_item(value, [&](std::string_view item) {
    bool known = item == "all";
    if (known) s.clocks = all_servable();
    for (const auto& clock : kServableClocks) {
      if (item == clock.name) {
        s.clocks |= mask_of(clock.id);
        known = true;
      }
    }
    good = good && known;
  });
  if (!good)
    s.serving_errors.push_back(
        complaint("CLOCKSHIM_CLOCKS", value,
                  "must be a comma list of realtime, monotonic, monotonic_raw, boottime, tai"));
}

}  // namespace

Settings read_settings(SettingLookup variable) {
  Settings s;
  if (const char* value = variable("CLOCKSHIM_TOLERANCE")) read_tolerance(value, s);
  if (const char* value = variable("CLOCKSHIM_CLOCKS")) read_clocks(value, s);
  read_choice(variable, "CLOCKSHIM_ORDER", {{"strict", Order::strict}, {"relaxed", Order::relaxed}},
              s.order, s.serving_errors);
  if (const char* value = variable("CLOCKSHIM_PROFILE")) read_profile(value, s);
  if (const char* value = variable("CLOCKSHIM_DEPTH")) read_depth(value, s);
  read_counters(variable, s);
  read_choice(variable, "CLOCKSHIM_FOLLOW", {{"0", false}, {"1", true}}, s.follow,
              s.serving_errors);
  read_choice(variable, "CLOCKSHIM_LOG",
              {{"off", LogLevel::off},
               {"error", LogLevel::error},
               {"warn", LogLevel::warn},
               {"info", LogLevel::info},
               {"debug", LogLevel::debug}},
              s.log, s.observing_errors);
  if (const char* value = variable("CLOCKSHIM_REPORT")) s.report = value;
  if (const char* value = variable("CLOCKSHIM_DIR")) read_folder(value, s);
  if (const char* value = variable("CLOCKSHIM_ONLY")) s.only = value;
  if (const char* value = variable("CLOCKSHIM_SKIP")) s.skip = value;
  return s;
}

bool matches_any(std::string_view globs, std::string_view name) {
  bool match = false;
  for_each_item(globs, [&](std::string_view glob) {
    // Most globs are plain names, and the first call of fnmatch costs a process 20 us.
    if (glob.find_first_of("*?[\\") == std::string_view::npos) {
      match = match || (!glob.empty() && glob == name);
    } else {
      match = match || fnmatch(std::string(glob).c_str(), std::string(name).c_str(), 0) == 0;
    }
  });
  return match;
}

std::string reason_to_skip(const Settings& settings, std::string_view program) {
  if (!settings.only.empty()) {
    return matches_any(settings.only, program)
               ? ""
               : "the program is not in CLOCKSHIM_ONLY=" + settings.only;
  }
  if (matches_any(settings.skip, program))
    return "the program is in CLOCKSHIM_SKIP=" + settings.skip;
  if (matches_any(kTimeDaemons, program))
    return "a time daemon needs the real clock (name it in CLOCKSHIM_ONLY to serve it all the "
           "same)";
  return "";
}

std::string expand_path(std::string_view pattern, const PathFacts& facts) {
  std::string path;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] != '%' || i + 1 == pattern.size()) {
      path += pattern[i];
      continue;
    }
    switch (pattern[++i]) {
      case 'p': path += std::to_string(facts.pid); break;
      case 'e': path += facts.program; break;
      case 'h': path += facts.host; break;
      case 't': path += std::to_string(facts.start); break;
      case '%': path += '%'; break;
      default: path += '%'; path += pattern[i];
    }
  }
  return path;
}

}  // namespace clockshim
