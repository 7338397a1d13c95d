#include "preload/collect.h"

#include <unistd.h>

#include <algorithm>
#include <tuple>
#include <unordered_map>

#include "base/duration.h"
#include "callsite/site_table.h"
#include "clock/served_clock.h"
#include "os/clocksource.h"
#include "os/real_clock.h"
#include "preload/lifecycle.h"
#include "report/symbols.h"

namespace clockshim {
namespace {

// `symbols` null: no file may be opened any more, and frames stay without names.
ReportFrame frame_at(const SiteRecord& site, unsigned i, const std::string& executable, Symbols* symbols) {
  ReportFrame frame;
  frame.offset = site.pc[i];
  if (site.module[i] >= kModules) return frame;
  const ModuleRecord& module = g_sites.module(site.module[i]);
  frame.module = module.path[0] != '\0' ? module.path : executable;
  frame.offset = site.pc[i] - module.load_bias;
  // The function of the call is that of the byte before the return address.
  if (symbols == nullptr) return frame;
  const SymbolName name = symbols->at(frame.module, frame.offset - 1);
  frame.symbol = name.name;
  frame.symbol_offset = name.name.empty() ? 0 : name.offset + 1;
  return frame;
}

void collect_sites(Report& report, const std::string& executable, Symbols* symbols, std::uint64_t (&calls)[kClockIds]) {
  std::unordered_map<std::uint64_t, std::uint64_t> counts;
  g_sites.for_each_count([&](SiteKey key, std::uint64_t count) {
    counts[key.raw()] += count;
    calls[key.clock()] += count;
  });
  for (const auto& [raw, count] : counts) {
    const SiteKey key{raw};
    ReportSite site;
    site.calls = count;
    site.clock = clock_name(key.clock());
    site.function = function_name(key.function());
    if (const SiteRecord* record = g_sites.find_site(key)) {
      site.exact_frames = record->exact_frames;
      for (unsigned i = 0; i < record->frames; ++i) site.frames.push_back(frame_at(*record, i, executable, symbols));
    }
    report.sites.push_back(std::move(site));
  }
  std::sort(report.sites.begin(), report.sites.end(), [](const ReportSite& a, const ReportSite& b) {
    return a.calls != b.calls ? a.calls > b.calls : !a.frames.empty() && !b.frames.empty() && a.frames[0].offset < b.frames[0].offset;
  });
}

// The mode may have changed on evidence since the start.
std::pair<std::string, std::string> mode_now(const ProcessState& state) {
  const auto& timeline = g_clock.timeline;
  const std::string figure = std::to_string(timeline.change_ticks());
  switch (timeline.last_change()) {
    case ModeChange::none: break;
    case ModeChange::warp: return {"percpu", "a CPU's counter was " + figure + " ticks behind another's"};
    case ModeChange::residual: return {"percpu", "a CPU's counter did not fit what another's had said"};
    case ModeChange::promoted: return {"coherent", "the CPUs' counters agreed in " + figure + " readings handed over, a second apart"};
    case ModeChange::stopped: return {"passthrough", "the CPUs' counters disagree, and CPUs can't be told apart"};
  }
  return {state.mode, state.mode_reason};
}

}  // namespace

Report collect_report(const ProcessState& state) {
  Report report;
  report.version = CLOCKSHIM_VERSION;
  report.program = state.program;
  report.pid = getpid();
  Nanos now;
  if (real::read(CLOCK_MONOTONIC, now)) report.seconds = static_cast<double>((now - state.started).raw()) / 1e9;
  report.clocksource = state.clocksource;
  report.disturbances = g_clock.timeline.disturbances();
  std::tie(report.mode, report.mode_reason) = mode_now(state);
  report.order = state.settings.order == Order::strict ? "strict" : "relaxed";
  report.profile = state.settings.profile == Profile::off ? "off" : "sites";
  report.tolerance_ns = state.settings.tolerance.raw();
  report.notes = state.notes;
  if (report.pid != state.pid)
    report.notes.push_back("forked from process " + std::to_string(state.pid) + "; counts are this process's own");

  std::uint64_t calls[kClockIds] = {};
  Symbols symbols;
  // One that the program has put on itself may forbid to open files. One that was there before let us do so at start.
  const bool filtered = seccomp_filtered() && !(state.contained && privileges_may_grow());
  if (filtered) report.notes.push_back("a seccomp filter is on: callers are not named");
  collect_sites(report, state.executable, filtered ? nullptr : &symbols, calls);
  for (unsigned id = 0; id < kClockIds; ++id) {
    const auto status = g_clock.timeline.status(id);
    const std::uint64_t resyncs = status.resyncs;
    if (calls[id] == 0 && (!g_uncounted || resyncs == 0)) continue;
    // A call may be counted as answered by the real function and, when the process ends at that instant, not yet as a call.
    const std::uint64_t real = std::min(g_sites.real_calls(id), calls[id]);
    report.clocks.push_back({std::string(clock_name(id)), calls[id], calls[id] - real, real, resyncs});
    if (const Nanos best = status.unreachable_best; best.raw() != 0) {
      report.notes.push_back("tolerance " + format_duration(state.settings.tolerance) + " can't be kept for " +
                             std::string(clock_name(id)) +
                             " here: its calls got the real clock; CLOCKSHIM_TOLERANCE=" + format_duration(best) + " could be kept");
    }
  }
  const AccuracySummary accuracy = g_clock.timeline.accuracy().summary();
  report.samples = accuracy.samples;
  report.p50_ns = accuracy.p50.raw();
  report.p99_ns = accuracy.p99.raw();
  report.max_ns = accuracy.max.raw();
  report.over_tolerance = accuracy.over_tolerance;
  report.dropped = g_sites.dropped();
  return report;
}

}  // namespace clockshim
