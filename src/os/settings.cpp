#include "os/settings.h"

#include <fnmatch.h>

#include <charconv>
#include <iterator>
#include <utility>

#include "base/duration.h"
#include "os/setting_table.h"

namespace clockshim {
namespace {

constexpr std::size_t kLongestFolder = 200;  // so that a file's path fits into 256 bytes
// Some names are cut at 15 characters, because the kernel cuts a thread's name there and some of
// our callers pass that.
constexpr std::string_view kTimeDaemons =
    "chronyd,ntpd,ptp4l,phc2sys,timesyncd,systemd-timesyn,systemd-timesyncd,openntpd,ntpsec";

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

// The place of `value` in a list of words with blanks between them; -1: it is not there.
constexpr int place_of(std::string_view value, std::string_view words) {
  for (int place = 0;; ++place) {
    const auto blank = words.find(' ');
    if (words.substr(0, blank) == value) return place;
    if (blank == std::string_view::npos) return -1;
    words.remove_prefix(blank + 1);
  }
}

// Each take_*() returns false, and changes nothing, if it can't use the value.
template <SettingId Id, class T>
bool take_word(std::string_view value, T& out) {
  const int place = place_of(value, setting_of(Id).words);
  if (place < 0) return false;
  out = static_cast<T>(place);
  return true;
}

bool take_tolerance(std::string_view value, Settings& s) {
  const auto tolerance = parse_duration(value);
  if (!tolerance || *tolerance > Nanos{kNanosPerSecond}) return false;
  s.tolerance = *tolerance;
  return true;
}

constexpr int kDeepest = 6;  // a site's record has room for this many, and the caller's own

constexpr std::uint32_t kStacksEvery =
    1000;  // each takes some 2 us: at most a thousandth of a busy thread's time

bool take_profile(std::string_view value, Settings& s) {
  constexpr std::string_view kSampled = "stacks:";
  if (value == "off" || value == "sites") {
    s.profile = value == "off" ? Profile::off : Profile::sites;
    return true;
  }
  std::uint32_t every = value == "stacks" ? kStacksEvery : 0;
  if (value.starts_with(kSampled)) {
    const char* const end = value.data() + value.size();
    if (std::from_chars(value.data() + kSampled.size(), end, every).ptr != end) return false;
  }
  if (every == 0) return false;
  s.profile = Profile::stacks;
  s.stacks_every = every;
  return true;
}

bool take_depth(std::string_view value, Settings& s) {
  if (value.size() != 1 || value[0] < '0' || value[0] > '0' + kDeepest) return false;
  s.depth = static_cast<std::uint32_t>(value[0] - '0');
  return true;
}

bool take_folder(std::string_view value, Settings& s) {
  if (!value.starts_with('/') || value.size() >= kLongestFolder) return false;
  s.dir = value;
  return true;
}

// `clockshim run` sets "measured:TICKS", and the report repeats it; or the path of a counters file.
bool take_counters(std::string_view value, Settings& s) {
  if (value.starts_with('/')) {
    s.counters = Counters::file;
    s.counters_file = value;
    return true;
  }
  constexpr std::string_view kMeasured = "measured:";
  if (!value.starts_with(kMeasured)) return take_word<SettingId::counters>(value, s.counters);
  const std::string_view ticks = value.substr(kMeasured.size());
  if (ticks.empty() || ticks.size() > 20 ||
      ticks.find_first_not_of("0123456789") != std::string_view::npos)
    return false;
  s.counters = Counters::measured;
  s.measured_ticks = ticks;
  return true;
}

bool take_clocks(std::string_view value, Settings& s) {
  ClockMask clocks = 0;
  bool good = true;
  for_each_item(value, [&](std::string_view item) {
    ClockMask named = item == "all" ? all_servable() : 0;
    for (const auto& clock : kServableClocks) {
      if (item == clock.name) named = mask_of(clock.id);
    }
    clocks |= named;
    good = good && named != 0;
  });
  if (good) s.clocks = clocks;
  return good;
}

bool take(SettingId id, std::string_view value, Settings& s) {
  switch (id) {
    case SettingId::tolerance: return take_tolerance(value, s);
    case SettingId::order: return take_word<SettingId::order>(value, s.order);
    case SettingId::counters: return take_counters(value, s);
    case SettingId::clocks: return take_clocks(value, s);
    case SettingId::profile: return take_profile(value, s);
    case SettingId::depth: return take_depth(value, s);
    case SettingId::report: s.report = value; return true;
    case SettingId::follow: return take_word<SettingId::follow>(value, s.follow);
    case SettingId::only: s.only = value; return true;
    case SettingId::skip: s.skip = value; return true;
    case SettingId::dir: return take_folder(value, s);
    case SettingId::log: return take_word<SettingId::log>(value, s.log);
  }
  return true;
}

void read(SettingLookup variable, SettingId id, Concern concern, const char* name,
          const char* words, const char* right, Settings& s) {
  const char* const value = variable(name);
  if (value == nullptr || take(id, value, s)) return;
  auto& errors = concern == Concern::serving ? s.serving_errors : s.observing_errors;
  errors.push_back(std::string(name) + "=\"" + value + "\": must be " +
                   (*words != '\0' ? "one of " : "") + words + right);
}

// Goes through the table at compile time, so that its texts for readers are not in the library.
template <std::size_t... Places>
void read_all(SettingLookup variable, Settings& s, std::index_sequence<Places...> /*places*/) {
  static_assert(((kSettings[Places].id == static_cast<SettingId>(Places)) && ...),
                "the table is in the order of SettingId");
  (read(variable, kSettings[Places].id, kSettings[Places].concern, kSettings[Places].variable,
        kSettings[Places].words, kSettings[Places].right, s),
   ...);
}

}  // namespace

Settings read_settings(SettingLookup variable) {
  Settings s;
  read_all(variable, s, std::make_index_sequence<std::size(kSettings)>());
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
