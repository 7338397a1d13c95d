#include "cli/doctor/save_counters.h"

#include <unistd.h>

#include <cstring>
#include <string>

#include "cli/console/command_line.h"
#include "cli/console/output.h"
#include "cli/console/progress.h"
#include "cli/doctor/cmd_doctor.h"
#include "cli/machine/cpu_set.h"
#include "cli/machine/saved_counters.h"
#include "os/clocksource.h"

namespace clockshim::cli {
namespace {

int nothing_to_do(const std::string& why) {
  print(why + ": nothing to save\n");
  return kHealthy;
}

CounterEvidence compare_all(std::size_t online) {
  CounterEvidence evidence;
  const std::vector<int> cpus = allowed_cpus();
  if (counter_forbidden()) {
    evidence.text = "this process may not read the counter";
  } else if (cpus.size() < online) {
    evidence.text = "only " + std::to_string(cpus.size()) + " of " + std::to_string(online) +
                    " CPUs are ours to use";
  } else {
    Progress progress;
    progress.show("comparing the CPUs' counters");
    evidence = compare_counters(cpus, Settings{}.tolerance, counter_of, kSaveComparison);
  }
  return evidence;
}

}  // namespace

int save_counters_of_boot() {
  if (current_clocksource() == "tsc")
    return nothing_to_do("the clocksource is tsc, so the kernel vouches for the counters");
  const long online = sysconf(_SC_NPROCESSORS_ONLN);
  if (online < 2) return nothing_to_do("one CPU runs");
  const std::string place = place_to_save(counter_places());
  if (place.empty())
    return refuse("there is no place for it: XDG_RUNTIME_DIR is no folder of this user's");
  const CounterEvidence evidence = compare_all(static_cast<std::size_t>(online));
  const SavedCounters saved = read_saved(place);
  CountersFile fresh{};
  std::string why_not;
  if (!make_file(evidence, std::string("clockshim doctor ") + CLOCKSHIM_VERSION, fresh, why_not)) {
    const bool refuted = saved.usable() && is_refuted(saved.file, evidence);
    if (refuted) unlink(place.c_str());
    print("nothing is proved: " + why_not + "\n" +
          (refuted ? place + " was wrong, and is removed\n" : ""));
    return kFinding;
  }
  const CountersFile file = saved.usable() ? confirmed(saved.file, fresh, evidence) : fresh;
  if (const int error = save_counters(place, file); error != 0)
    return refuse(place + ": " + std::strerror(error));
  print(evidence.text + "\n" + place + ": " + text_of(file) + "\n");
  return kHealthy;
}

}  // namespace clockshim::cli
