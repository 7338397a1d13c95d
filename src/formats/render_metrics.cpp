// Metrics of each process as text, in two dialects: OpenMetrics
// (https://prometheus.io/docs/specs/om/open_metrics_spec/), and the older format of Prometheus
// (https://prometheus.io/docs/instrumenting/exposition_formats/), which is what a node exporter's
// textfile collector reads. Their samples are the same: a counter's ends in _total. They differ in
// the counter's own name, which has that ending only in the older one, and in the last line. The
// number of series is limited: the busiest callers of a process, by function (and thread, with
// --threads); the rest is "other".
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <initializer_list>
#include <map>

#include "formats/formats.h"
#include "formats/thread_slices.h"
#include "report/saved.h"

namespace clockshim {
namespace {

constexpr std::size_t kMostCallers = 100;   // of a process
constexpr std::size_t kMostApart = 1000;    // with --threads, of all threads of a process
constexpr std::size_t kLongestLabel = 160;  // characters; a C++ name can have thousands

using Label = std::pair<const char*, std::string>;

std::string labels(const std::vector<Label>& all) {
  std::string out;
  for (const auto& [name, value] : all) {
    out += fmt::format("{}{}=\"", out.empty() ? "" : ",", name);
    for (const char c : shortened(one_line(value), kLongestLabel)) {
      if (c == '\\' || c == '"') out += '\\';
      out += c;
    }
    out += '"';
  }
  return "{" + out + "}";
}

std::vector<Label> process(const Report& r, std::initializer_list<Label> more = {}) {
  std::vector<Label> all{{"program", r.program}, {"pid", std::to_string(r.pid)}};
  all.insert(all.end(), more);
  return all;
}

// The labels of a caller. A function that is called from several places is one caller.
struct CallerLabels {
  std::string thread;  // "": all threads
  std::string clock;
  std::string function;
  std::string caller;
  std::string module;
  bool sampled = false;
  auto operator<=>(const CallerLabels&) const = default;
};

void add_calls(const Report& r, const StackOptions& options, std::string& out) {
  std::map<CallerLabels, std::uint64_t> sums;
  for (const ThreadSlice& slice : drawn_slices(r, {.exact = true, .threads = options.threads})) {
    for (const ReportSite& site : slice.sites) {
      const ReportFrame caller = caller_of(site);
      // Shorten the names first, so that two callers whose labels would be equal are one.
      const auto label = [](const std::string& name) {
        return shortened(one_line(name), kLongestLabel);
      };
      sums[{label(slice.id), label(site.clock), label(site.function), label(function_name(caller)),
            label(module_name(caller)), site.sampled}] += site.calls;
    }
  }
  std::vector<std::pair<CallerLabels, std::uint64_t>> busiest(sums.begin(), sums.end());
  std::stable_sort(busiest.begin(), busiest.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  std::map<CallerLabels, std::uint64_t> rest;
  const std::size_t most = options.threads ? kMostApart : kMostCallers;
  for (std::size_t i = most; i < busiest.size(); ++i) {
    const CallerLabels& caller = busiest[i].first;
    rest[{caller.thread, caller.clock, caller.function, "other", "", caller.sampled}] +=
        busiest[i].second;
  }
  busiest.resize(std::min(busiest.size(), most));
  for (const auto& [caller, calls] : rest) {
    const auto same =
        std::find_if(busiest.begin(), busiest.end(),
                     [&, &one = caller](const auto& other) { return other.first == one; });
    if (same != busiest.end()) {
      same->second += calls;
    } else {
      busiest.emplace_back(caller, calls);
    }
  }
  for (const auto& [caller, calls] : busiest) {
    std::vector<Label> all = process(r, {{"clock", caller.clock},
                                         {"function", caller.function},
                                         {"caller", caller.caller},
                                         {"module", caller.module},
                                         {"sampled", caller.sampled ? "true" : "false"}});
    if (!caller.thread.empty()) all.emplace_back("thread", caller.thread);
    out += fmt::format("clockshim_calls_total{} {}\n", labels(all), calls);
  }
}

struct Family {
  const char* name;
  const char* type;
  const char* help;
  void (*add)(const Report& r, std::string& out);  // null: add_calls()
};

const Family kFamilies[] = {
    {"clockshim_calls", "counter", "Calls for the time, by caller.", nullptr},
    {"clockshim_clock_calls", "counter",
     "Calls for the time, by clock, and by who answered: the timeline (served) or the kernel "
     "(real).",
     [](const Report& r, std::string& out) {
       for (const ReportClock& c : r.clocks) {
         out +=
             fmt::format("clockshim_clock_calls_total{} {}\n",
                         labels(process(r, {{"clock", c.name}, {"answer", "served"}})), c.served);
         out += fmt::format("clockshim_clock_calls_total{} {}\n",
                            labels(process(r, {{"clock", c.name}, {"answer", "real"}})), c.real);
       }
     }},
    {"clockshim_resyncs", "counter", "Segments made, by clock.",
     [](const Report& r, std::string& out) {
       for (const ReportClock& c : r.clocks) {
         out += fmt::format("clockshim_resyncs_total{} {}\n",
                            labels(process(r, {{"clock", c.name}})), c.resyncs);
       }
     }},
    {"clockshim_disturbances", "counter",
     "Resyncs at which the real clock was off by more than the tolerance.",
     [](const Report& r, std::string& out) {
       out +=
           fmt::format("clockshim_disturbances_total{} {}\n", labels(process(r)), r.disturbances);
     }},
    {"clockshim_dropped", "counter", "Calls that no table had room for.",
     [](const Report& r, std::string& out) {
       out += fmt::format("clockshim_dropped_total{} {}\n", labels(process(r)), r.dropped);
     }},
    {"clockshim_over_tolerance", "counter", "Resyncs that found an error above the tolerance.",
     [](const Report& r, std::string& out) {
       out += fmt::format("clockshim_over_tolerance_total{} {}\n", labels(process(r)),
                          r.over_tolerance);
     }},
    {"clockshim_error_samples", "counter", "Resyncs that measured the error of served times.",
     [](const Report& r, std::string& out) {
       out += fmt::format("clockshim_error_samples_total{} {}\n", labels(process(r)), r.samples);
     }},
    // No summary: one has a sum of what was observed, which is not known, and readers of one
    // without it take it for zero.
    {"clockshim_error_seconds", "gauge",
     "The error of served times so far, as measured at resyncs: the median, the 99th percentile "
     "and "
     "the maximum.",
     [](const Report& r, std::string& out) {
       const std::pair<const char*, std::int64_t> statistics[] = {
           {"p50", r.p50_ns}, {"p99", r.p99_ns}, {"max", r.max_ns}};
       for (const auto& [statistic, ns] : statistics) {
         if (r.samples == 0) break;
         out += fmt::format("clockshim_error_seconds{} {}\n",
                            labels(process(r, {{"statistic", statistic}})),
                            static_cast<double>(ns) / 1e9);
       }
     }},
    // No counters: what a call costs is measured again and again, and their sum may fall with it.
    {"clockshim_cpu_saved_seconds", "gauge",
     "CPU time that serving has saved so far, by what a call costs in the process.",
     [](const Report& r, std::string& out) {
       for (const ReportClock& c : r.clocks) {
         if (!has_costs(c)) continue;
         out += fmt::format("clockshim_cpu_saved_seconds{} {}\n",
                            labels(process(r, {{"clock", c.name}})),
                            static_cast<double>(c.saved_ns) / 1e9);
       }
     }},
    {"clockshim_call_cost_seconds", "gauge",
     "What a call costs in the process, by who answers: the timeline (served) or the kernel "
     "(real).",
     [](const Report& r, std::string& out) {
       for (const ReportClock& c : r.clocks) {
         if (!has_costs(c)) continue;
         out += fmt::format("clockshim_call_cost_seconds{} {}\n",
                            labels(process(r, {{"clock", c.name}, {"answer", "served"}})),
                            c.served_call_ns / 1e9);
         out += fmt::format("clockshim_call_cost_seconds{} {}\n",
                            labels(process(r, {{"clock", c.name}, {"answer", "real"}})),
                            c.real_call_ns / 1e9);
       }
     }},
    {"clockshim_tolerance_seconds", "gauge", "The tolerance asked for.",
     [](const Report& r, std::string& out) {
       out += fmt::format("clockshim_tolerance_seconds{} {}\n", labels(process(r)),
                          static_cast<double>(r.tolerance_ns) / 1e9);
     }},
    {"clockshim_mode", "gauge", "How the process is served; always 1.",
     [](const Report& r, std::string& out) {
       out += fmt::format("clockshim_mode{} 1\n",
                          labels(process(r, {{"version", r.version},
                                             {"mode", r.mode},
                                             {"order", r.order},
                                             {"clocksource", r.clocksource}})));
     }},
};

// Keeps one report for each process, because two would produce the same series twice. The later one
// counts, as counters only grow.
Reports one_a_process(const Reports& reports) {
  std::map<std::pair<std::string, long>, const Report*> latest;
  for (const Report& report : reports) {
    const Report*& known = latest[{shortened(one_line(report.program), kLongestLabel), report.pid}];
    const auto age = [](const Report& r) { return std::pair(r.started_at, r.seconds); };
    if (known == nullptr || age(report) > age(*known)) known = &report;
  }
  Reports out;
  for (const auto& [process, report] : latest) out.push_back(*report);
  return out;
}

std::string samples(const Family& family, const Reports& reports, const StackOptions& options) {
  std::string out;
  for (const Report& report : reports) {
    if (family.add != nullptr) {
      family.add(report, out);
    } else {
      add_calls(report, options, out);
    }
  }
  return out;
}

}  // namespace

std::string render_openmetrics(const Reports& all, const StackOptions& options) {
  const Reports reports = one_a_process(all);
  std::string out;
  for (const Family& family : kFamilies) {
    out += fmt::format("# TYPE {} {}\n", family.name, family.type);
    if (std::string_view(family.name).ends_with("_seconds"))
      out += fmt::format("# UNIT {} seconds\n", family.name);
    out += fmt::format("# HELP {} {}\n", family.name, family.help);
    out += samples(family, reports, options);
  }
  return out + "# EOF\n";
}

std::string render_prometheus(const Reports& all, const StackOptions& options) {
  const Reports reports = one_a_process(all);
  std::string out;
  for (const Family& family : kFamilies) {
    const std::string all_samples = samples(family, reports, options);
    if (all_samples.empty()) continue;  // its readers have no use for a name alone
    const std::string name =
        family.name + std::string(family.type == std::string_view("counter") ? "_total" : "");
    out += fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n", name, family.help, family.type);
    out += all_samples;
  }
  return out;
}

}  // namespace clockshim
