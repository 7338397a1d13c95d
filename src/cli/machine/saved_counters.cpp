#include "cli/machine/saved_counters.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string_view>

#include "cli/inject/private_folder.h"
#include "cli/machine/clocks_measured.h"
#include "cli/machine/cpu_set.h"
#include "os/clocksource.h"
#include "os/descriptor.h"
#include "os/log.h"
#include "os/write.h"

namespace clockshim::cli {
namespace {

constexpr mode_t kFileMode = 0644;

bool is_own_folder(const char* path) {
  struct stat info {};
  return lstat(path, &info) == 0 && S_ISDIR(info.st_mode) && info.st_uid == geteuid();
}

// A folder in which nobody else can put a file. Its mode does not depend on the umask.
int make_folder(const std::string& path) {
  const mode_t mode = geteuid() == 0 ? 0755 : 0700;
  const bool made = mkdir(path.c_str(), mode) == 0;
  if (!made && errno != EEXIST) return errno;
  const Descriptor folder(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat info {};
  if (folder.get() < 0 || fstat(folder.get(), &info) != 0) return errno;
  if (info.st_uid != geteuid()) return EPERM;
  if (made) return fchmod(folder.get(), mode) != 0 ? errno : 0;
  return (info.st_mode & (S_IWGRP | S_IWOTH)) != 0 ? EPERM : 0;
}

std::int64_t margin_left(const CountersFile& file, const CounterEvidence& evidence) {
  std::vector<PairBounds> bounds;
  std::vector<std::int64_t> offsets(evidence.cpus.size(), 0);
  const auto number = [&](std::size_t i) { return static_cast<unsigned>(evidence.cpus[i]); };
  for (std::size_t i = 0; i < offsets.size(); ++i) {
    if (file.has(number(i))) offsets[i] = file.offsets[number(i)];
  }
  for (const PairBounds& pair : evidence.bounds) {
    if (file.has(number(pair.first)) && file.has(number(pair.second))) bounds.push_back(pair);
  }
  return margin_of(bounds, offsets);
}

// Offsets that fit what was found, and what the file leaves open: no corrected counter was ahead of
// another by more than `within`.
CounterOffsets common_offsets(const CountersFile& file, const CounterEvidence& evidence,
                              std::vector<PairBounds>& bounds) {
  bounds = evidence.bounds;
  const auto within = static_cast<std::int64_t>(file.within);
  for (PairBounds& pair : bounds) {
    const auto first = static_cast<unsigned>(evidence.cpus[pair.first]);
    const auto second = static_cast<unsigned>(evidence.cpus[pair.second]);
    if (!file.has(first) || !file.has(second)) continue;
    const std::int64_t ahead = file.offsets[second] - file.offsets[first];
    pair.to_first = std::min(pair.to_first, within - ahead);
    pair.to_second = std::min(pair.to_second, within + ahead);
  }
  return choose_offsets(evidence.cpus.size(), bounds);
}

void take_offsets(CountersFile& file, const std::vector<int>& cpus,
                  const std::vector<std::int64_t>& offsets) {
  for (std::size_t i = 0; i < cpus.size(); ++i) file.offsets[cpus[i]] = offsets[i];
}

std::string ago(Nanos age) {
  const std::int64_t seconds = age.raw() / kNanosPerSecond;
  if (seconds < 120) return std::to_string(seconds) + " s ago";
  if (seconds < 7200) return std::to_string(seconds / 60) + " min ago";
  return std::to_string(seconds / 3600) + " h ago";
}

Nanos boottime() {
  char boot[40];
  return counters_expected(boot).boottime;
}

}  // namespace

CounterPlaces counter_places() {
  CounterPlaces places;
  const char* const folder = getenv("XDG_RUNTIME_DIR");
  if (folder != nullptr && *folder == '/') places.own = std::string(folder) + kOwnCounters;
  return places;
}

std::string place_to_save(const CounterPlaces& places) {
  if (geteuid() == 0) return places.system;
  if (places.own.empty()) return "";
  const auto runtime = std::filesystem::path(places.own).parent_path().parent_path();
  return is_own_folder(runtime.c_str()) ? places.own : "";
}

SavedCounters read_saved(const std::string& path) {
  SavedCounters saved;
  if (path.empty()) return saved;
  const char* const problem = read_counters(path.c_str(), saved.file);
  if (problem != nullptr && *problem == '\0') return saved;
  saved.path = path;
  if (problem != nullptr) saved.problem = problem;
  return saved;
}

SavedCounters find_saved(const CounterPlaces& places) {
  SavedCounters system = read_saved(places.system);
  if (system.usable()) return system;
  SavedCounters own = read_saved(places.own);
  return own.usable() || system.path.empty() ? own : system;
}

std::int64_t worst_offset(const CountersFile& file) {
  return *std::max_element(std::begin(file.offsets), std::end(file.offsets));
}

Nanos age_of(const CountersFile& file) { return boottime() - Nanos{file.confirmed}; }

std::string text_of(const CountersFile& file) {
  const std::string cpus = std::to_string(file.cpus) + " CPUs' counters ";
  const std::string when = "; confirmed " + ago(age_of(file));
  switch (file.verdict) {
    case CountersVerdict::agree:
      return cpus + "agree within " + std::to_string(file.within) + " ticks" + when;
    case CountersVerdict::constant:
      return cpus + "differ by constants, up to " + std::to_string(worst_offset(file)) +
             " ticks; margin " + std::to_string(file.margin) + " ticks" + when;
    case CountersVerdict::differ: break;
  }
  return cpus + "differ, and by no constants" + when;
}

bool is_refuted(const CountersFile& file, const CounterEvidence& evidence) {
  return file.verdict != CountersVerdict::differ && margin_left(file, evidence) <= 0;
}

bool make_file(const CounterEvidence& evidence, const std::string& writer, CountersFile& out,
               std::string& why_not) {
  out = CountersFile{};
  if (evidence.found == CountersFound::unknown) {
    why_not = evidence.text;
    return false;
  }
  if (evidence.cpus.back() >= static_cast<int>(kCountersCpus)) {
    why_not = "the file has room for " + std::to_string(kCountersCpus) + " CPUs";
    return false;
  }
  const CountersVerdict verdict = evidence.found == CountersFound::agree ? CountersVerdict::agree
                                  : evidence.found == CountersFound::constant
                                      ? CountersVerdict::constant
                                      : CountersVerdict::differ;
  if (!begin_counters(out, verdict, writer)) {
    why_not = "the kernel does not say which boot this is";
    return false;
  }
  out.cpus = static_cast<std::uint32_t>(evidence.cpus.size());
  for (const int cpu : evidence.cpus)
    out.compared_cpus[static_cast<unsigned>(cpu) / 64] |= std::uint64_t{1} << cpu % 64;
  if (evidence.usable()) {
    out.within = evidence.within;
    out.margin = static_cast<std::uint64_t>(std::max<std::int64_t>(evidence.margin, 0));
    take_offsets(out, evidence.cpus, evidence.offsets);
  }
  return true;
}

CountersFile confirmed(const CountersFile& saved, const CountersFile& fresh,
                       const CounterEvidence& evidence) {
  const bool same_cpus =
      std::memcmp(saved.compared_cpus, fresh.compared_cpus, sizeof fresh.compared_cpus) == 0;
  CountersFile out = saved;
  out.confirmed = fresh.confirmed;
  if (saved.verdict == CountersVerdict::differ) return same_cpus ? out : fresh;
  if (!evidence.usable()) return fresh;
  const std::int64_t left = margin_left(saved, evidence);
  if (left > 0) {
    if (!same_cpus) return fresh;
    out.margin = std::min(saved.margin, static_cast<std::uint64_t>(left));
    out.within = std::min(saved.within, fresh.within);
    return out;
  }
  out = fresh;
  take_offsets(out, evidence.cpus, std::vector<std::int64_t>(evidence.cpus.size(), 0));
  out.margin = 0;
  out.within = 0;
  std::vector<PairBounds> bounds;
  const CounterOffsets common = common_offsets(saved, evidence, bounds);
  if (common.margin <= 0) {
    out.verdict = CountersVerdict::differ;
    return out;
  }
  out.verdict = CountersVerdict::constant;
  out.margin = static_cast<std::uint64_t>(common.margin);
  out.within = spread_of(evidence.cpus.size(), bounds, common.offsets);
  take_offsets(out, evidence.cpus, common.offsets);
  return out;
}

int save_counters(const std::string& path, CountersFile file) {
  file.checksum = checksum_of(file);
  const std::string folder = std::filesystem::path(path).parent_path();
  if (const int error = make_folder(folder); error != 0) return error;
  std::string beside = path + ".XXXXXX";
  int error = 0;
  {
    const Descriptor out(mkostemp(beside.data(), O_CLOEXEC));
    if (out.get() < 0) return errno;
    if (fchmod(out.get(), kFileMode) != 0) error = errno;
    if (error == 0)
      error = write_all(out.get(), std::string(reinterpret_cast<const char*>(&file), sizeof file));
  }
  if (error == 0 && rename(beside.c_str(), path.c_str()) != 0) error = errno;
  if (error != 0) unlink(beside.c_str());
  return error;
}

CountersForProgram::CountersForProgram(const Settings& settings, bool save) {
  const std::string clocksource = current_clocksource();
  const auto online = static_cast<std::size_t>(std::max(1L, sysconf(_SC_NPROCESSORS_ONLN)));
  if (!is_open(settings, clocksource, online) || counter_forbidden()) return;
  const auto log = [&](const std::string& text) {
    say(LogLevel::info, settings.log, "clocksource " + clocksource + ", so " + text);
  };
  const CounterPlaces places = counter_places();
  // A file is made for the usual tolerance; it may say too little for a small one.
  const bool usual =
      allowed_difference(settings.tolerance) == allowed_difference(Settings{}.tolerance);
  const SavedCounters saved = usual ? find_saved(places) : SavedCounters{};
  if (saved.usable() && saved.file.cpus >= online) {
    log(saved.path + " was read: " + text_of(saved.file));
    if (saved.file.verdict == CountersVerdict::agree)
      value_ = "measured:" + std::to_string(saved.file.within);
    if (saved.file.verdict == CountersVerdict::differ) value_ = "disagree";
    return;
  }
  const CounterEvidence evidence =
      find_evidence(settings, clocksource, allowed_cpus(), online, counter_of);
  log("looked myself: " + evidence.text);
  if (evidence.found == CountersFound::agree)
    value_ = "measured:" + std::to_string(evidence.within);
  if (evidence.found == CountersFound::drifts || evidence.found == CountersFound::jumps)
    value_ = "disagree";
  CountersFile file{};
  std::string why_not;
  if (!usual ||
      !make_file(evidence, std::string("clockshim run ") + CLOCKSHIM_VERSION, file, why_not))
    return;
  const std::string place = save ? place_to_save(places) : "";
  if (!place.empty() && save_counters(place, file) == 0 && read_saved(place).usable()) return;
  if (evidence.found != CountersFound::constant) return;
  folder_ = std::make_unique<PrivateFolder>("counters");
  const std::string path = folder_->path() + "/counters";
  if (folder_->made() && save_counters(path, file) == 0) value_ = path;
}

CountersForProgram::~CountersForProgram() = default;

Settings settings_with(std::vector<SettingOption> options, const CountersForProgram& counters) {
  for (SettingOption& option : options) {
    if (option.setting->id == SettingId::counters && !counters.value().empty())
      option.value = counters.value();
  }
  return effective_settings(options);
}

}  // namespace clockshim::cli
