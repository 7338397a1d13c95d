// The counters file, as the command sees it: where it is, what is in it, when it is written and
// when it is refuted.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cli/inject/setting_options.h"
#include "cli/machine/counter_evidence.h"
#include "os/counters_file.h"

namespace clockshim::cli {

class PrivateFolder;

// Where the library looks by itself.
struct CounterPlaces {
  std::string system = kSystemCounters;
  std::string own;  // "": there is no XDG_RUNTIME_DIR
};
CounterPlaces counter_places();

// The place that this user may write to: the system's for root. "" if there is none.
std::string place_to_save(const CounterPlaces& places);

struct SavedCounters {
  std::string path;     // "": there is no file
  std::string problem;  // why it is not believed; "": it is
  CountersFile file{};
  [[nodiscard]] bool usable() const { return !path.empty() && problem.empty(); }
};

SavedCounters read_saved(const std::string& path);
// The file that the library would use; if there is none, one that it does not believe.
SavedCounters find_saved(const CounterPlaces& places);

// What the file says, for people: its verdict, offsets and margin, and how old it is.
std::string text_of(const CountersFile& file);
std::int64_t worst_offset(const CountersFile& file);
Nanos age_of(const CountersFile& file);  // since it was last confirmed

// Whether what was found contradicts the file: its offsets leave no margin now.
bool is_refuted(const CountersFile& file, const CounterEvidence& evidence);

// What is to be saved. `why_not` says why nothing can be: nothing is proved, or there are CPUs that
// the file has no room for.
bool make_file(const CounterEvidence& evidence, const std::string& writer, CountersFile& out,
               std::string& why_not);

// What is to be saved if a usable file is there already. If its offsets still fit, they stay, and
// the time over which they were right grows. If they miss by less than both comparisons leave open,
// better ones take their place. Else the counters have moved: then, and if they had done so before,
// they differ by no constants, until the next boot.
CountersFile confirmed(const CountersFile& saved, const CountersFile& fresh,
                       const CounterEvidence& evidence);

// Replaces the file, and makes its folder if needed: root's for all to read, another user's for
// himself. Returns 0, or an errno (EPERM: the folder is not this user's alone to write to).
int save_counters(const std::string& path, CountersFile file);

// What a program that is started is told of the counters: what the saved file has, or what a
// comparison finds, which is then saved if that is wanted and possible. The finding is logged at
// level `info`.
class CountersForProgram {
 public:
  CountersForProgram(const Settings& settings, bool save);
  ~CountersForProgram();
  CountersForProgram(const CountersForProgram&) = delete;
  CountersForProgram& operator=(const CountersForProgram&) = delete;

  // For CLOCKSHIM_COUNTERS. "": the library is to find out by itself, from a file maybe. The path
  // of a file is only good while this object is there.
  [[nodiscard]] const std::string& value() const { return value_; }

 private:
  std::string value_;
  std::unique_ptr<PrivateFolder> folder_;
};

// The settings that a process is served by from outside: with what is known of the counters.
Settings settings_with(std::vector<SettingOption> options, const CountersForProgram& counters);

}  // namespace clockshim::cli
