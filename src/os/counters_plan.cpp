#include "os/counters_plan.h"

#include <algorithm>
#include <cstdlib>

#include "base/attributes.h"
#include "os/counters_file.h"

namespace clockshim {
namespace {

// Only processes whose counters differ by constants ever write to it.
CLOCKSHIM_LARGE constinit std::int64_t g_offsets[kCountersCpus];

// Reads the file that the settings name, or the first one that can be used. False: there is none;
// then `unused` says why one that is there is not believed.
bool find_file(const Settings& settings, CountersFile& file, std::string& unused) {
  std::string paths[2];
  if (settings.counters == Counters::file) {
    paths[0] = settings.counters_file;
  } else {
    paths[0] = kSystemCounters;
    if (const char* folder = unless_empty(getenv("XDG_RUNTIME_DIR")); folder != nullptr)
      paths[1] = std::string(folder) + kOwnCounters;
  }
  for (const std::string& path : paths) {
    if (path.empty()) continue;
    const char* problem = read_counters(path.c_str(), file);
    if (problem == nullptr) return true;
    if (*problem == '\0' && settings.counters == Counters::file) problem = "it can't be read";
    if (*problem != '\0' && unused.empty()) unused = path + ": " + problem;
  }
  return false;
}

void take_offsets(const CountersFile& file) {
  for (unsigned cpu = 0; cpu < kCountersCpus; ++cpu)
    g_offsets[cpu] = file.has(cpu) ? file.offsets[cpu] : kNoOffset;
}

std::string span_of(const CountersFile& file) {
  const std::int64_t seconds = (file.confirmed - file.compared) / kNanosPerSecond;
  return seconds == 0 ? "" : ", for " + std::to_string(seconds) + " s so far";
}

// One domain for all CPUs, whose readings are less the offsets in the file, or as they are without
// one.
CountersPlan aligned(const Settings& settings, const CountersFile* file, CountersPlan plan) {
  const bool forced = settings.counters == Counters::aligned;
  plan.mode = "aligned";
  if (file == nullptr || file->verdict == CountersVerdict::differ) {
    plan.reason = "CLOCKSHIM_COUNTERS=aligned, and no offsets are known: all are taken to be 0";
    std::fill(std::begin(g_offsets), std::end(g_offsets), 0);
  } else {
    const std::int64_t worst = *std::max_element(file->offsets, file->offsets + kCountersCpus);
    plan.reason = "the CPUs' counters were compared: they differ by constants, of up to " +
                  std::to_string(worst) + " ticks, with " + std::to_string(file->margin) +
                  " ticks to spare" + span_of(*file);
    take_offsets(*file);
  }
  plan.offsets = g_offsets;
  plan.may_promote = !forced;
  return plan;
}

CountersPlan per_cpu(CountersPlan plan, std::string reason, bool may_promote) {
  plan.mode = "percpu";
  plan.per_cpu = true;
  plan.may_promote = may_promote;
  plan.reason = std::move(reason);
  return plan;
}

CountersPlan coherent(CountersPlan plan, std::string reason, bool may_promote) {
  plan.mode = "coherent";
  plan.may_promote = may_promote;
  plan.reason = std::move(reason);
  return plan;
}

CountersPlan by_file(const Settings& settings, const std::string& clocksource,
                     const CpuCounter& counter) {
  CountersPlan plan;
  CountersFile file;
  const bool found = find_file(settings, file, plan.unused);
  const bool constant = found && file.verdict == CountersVerdict::constant;
  const bool can_align =
      (constant || settings.counters == Counters::aligned) && counter.can_align();
  if (settings.counters == Counters::aligned && can_align)
    return aligned(settings, found ? &file : nullptr, plan);
  if (found && file.verdict == CountersVerdict::agree)
    return coherent(plan,
                    "the CPUs' counters were compared: they agree within " +
                        std::to_string(file.within) + " ticks" + span_of(file),
                    true);
  if (found && file.verdict == CountersVerdict::differ)
    return per_cpu(plan, "the CPUs' counters were compared: they differ, and by no constants",
                   false);
  if (constant && can_align) return aligned(settings, &file, plan);
  const bool untold = constant || settings.counters == Counters::aligned;
  return per_cpu(plan,
                 "clocksource " + clocksource +
                     (untold ? ": the CPUs' counters differ by constants at best, and an "
                               "interrupted reading can't be told to be of some CPU"
                             : ": nothing vouches that the CPUs' counters agree"),
                 !untold);
}

}  // namespace

CountersPlan plan_counters(const Settings& settings, const std::string& clocksource, unsigned cpus,
                           const CpuCounter& counter) {
  switch (settings.counters) {
    case Counters::agree: return coherent({}, "CLOCKSHIM_COUNTERS=agree", false);
    case Counters::disagree: return per_cpu({}, "CLOCKSHIM_COUNTERS=disagree", false);
    case Counters::measured:
      return coherent(
          {},
          "the CPUs' counters were compared before the start: they agree" +
              (settings.measured_ticks.empty() ? std::string()
                                               : " within " + settings.measured_ticks + " ticks"),
          true);
    case Counters::aligned: break;
    case Counters::automatic:
    case Counters::file:
      if (clocksource == "tsc") return coherent({}, "clocksource tsc", true);
      if (cpus < 2) return coherent({}, "one CPU", true);
      break;
  }
  return by_file(settings, clocksource, counter);
}

}  // namespace clockshim
