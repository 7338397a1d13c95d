// The report for programs: JSON, schema version 1. It is written by hand, because the preloaded
// library has no JSON library in it.
#include <fmt/format.h>

#include "report/report.h"
#include "report/saved.h"
#include "report/text.h"

namespace clockshim {
namespace {

template <class Range, class F>
std::string joined(const Range& range, std::string_view separator, F f) {
  std::string out;
  for (const auto& item : range) {
    if (!out.empty()) out += separator;
    out += f(item);
  }
  return out;
}

std::string or_null(const std::string& s) { return s.empty() ? "null" : json_quoted(s); }

std::string cost_or_null(double ns) { return ns > 0 ? fmt::format("{:.3f}", ns) : "null"; }

std::string clock_json(const ReportClock& c) {
  return fmt::format(R"({}: {{"calls": {}, "served": {}, "real": {}, "resyncs": {}, )"
                     R"("real_call_ns": {}, "served_call_ns": {}, "saved_ns": {}}})",
                     json_quoted(c.name), c.calls, c.served, c.real, c.resyncs,
                     cost_or_null(c.real_call_ns), cost_or_null(c.served_call_ns), c.saved_ns);
}

std::string frame_json(const ReportFrame& f) {
  return fmt::format(
      R"({{"symbol": {}, "symbol_offset": {}, "module": {}, "offset": {}, "file": {}, )"
      R"("line": {}, "inlined": {}, "build_id": {}}})",
      or_null(f.symbol), f.symbol_offset, or_null(f.module), f.offset, or_null(f.file),
      f.line == 0 ? "null" : std::to_string(f.line), f.inlined, or_null(f.build_id));
}

std::string site_json(const ReportSite& s) {
  return fmt::format(
      "\n    {{\"calls\": {}, \"clock\": {}, \"function\": {}, \"sampled\": {}, \"exact_frames\": "
      "{}, \"frames\": [\n      {}]}}",
      s.calls, json_quoted(s.clock), json_quoted(s.function), s.sampled, s.exact_frames,
      joined(s.frames, ",\n      ", frame_json));
}

// Writes each thread with its sites, as indices into "sites".
std::string threads_json(const Report& r) {
  std::vector<std::string> shares(r.threads.size());
  for (std::size_t i = 0; i < r.sites.size(); ++i) {
    for (const ReportShare& share : r.sites[i].threads) {
      std::string& all = shares[share.thread];
      all +=
          fmt::format(R"({}{{"site": {}, "calls": {}}})", all.empty() ? "" : ", ", i, share.calls);
    }
  }
  std::string out;
  for (std::size_t i = 0; i < r.threads.size(); ++i) {
    const ReportThread& t = r.threads[i];
    out += fmt::format(
        "{}\n    {{\"tid\": {}, \"name\": {}, \"pid\": {}, \"threads\": {}, \"ended\": {}, "
        "\"shared\": {}, \"calls\": {}, \"sites\": "
        "[{}]}}",
        i == 0 ? "" : ",", t.tid == 0 ? "null" : std::to_string(t.tid), or_null(t.name), t.pid,
        t.threads == 0 ? "null" : std::to_string(t.threads), t.ended, t.shared, t.calls, shares[i]);
  }
  return "[" + out + "]";
}

std::string numbers(const std::vector<std::uint64_t>& all) {
  return "[" + joined(all, ", ", [](std::uint64_t n) { return std::to_string(n); }) + "]";
}

std::string rates_json(const ReportRates& r) {
  if (r.times.empty()) return "null";
  std::string out = fmt::format(
      "{{\n    \"interval\": {}, \"started_at\": {:.6f},\n    \"times\": [{}],\n", r.interval,
      r.started_at, joined(r.times, ", ", [](double t) { return fmt::format("{:.9f}", t); }));
  out += fmt::format("    \"clocks\": {{{}}},\n",
                     joined(r.clocks, ", ", [](const ReportRates::Series& s) {
                       return json_quoted(s.clock) + ": " + numbers(s.calls);
                     }));
  out += fmt::format(
      "    \"callers\": [{}]}}", joined(r.callers, ",", [](const ReportRates::Series& s) {
        return fmt::format(R"(
      {{"caller": {}, "module": {}, "clock": {}, "function": {}, "calls": {}}})",
                           json_quoted(s.caller), json_quoted(s.module), json_quoted(s.clock),
                           json_quoted(s.function), numbers(s.calls));
      }));
  return out;
}

}  // namespace

std::string render_json(const Report& r) {
  std::string out = "{\n  \"schema_version\": 1,\n";
  const auto raw = [&](std::string_view key, const auto& value) {
    out += fmt::format("  \"{}\": {},\n", key, value);
  };
  const auto text = [&](std::string_view key, const std::string& value) {
    raw(key, json_quoted(value));
  };
  text("clockshim_version", r.version);
  text("program", r.program);
  raw("pid", r.pid);
  raw("pids", fmt::format("[{}]", r.pids.empty() ? std::to_string(r.pid)
                                                 : joined(r.pids, ", ", [](long pid) {
                                                     return std::to_string(pid);
                                                   })));
  raw("forked_from", r.forked_from == 0 ? "null" : std::to_string(r.forked_from));
  raw("state", or_null(r.state));
  raw("started_at", r.started_at == 0 ? "null" : fmt::format("{:.6f}", r.started_at));
  raw("seconds", fmt::format("{:.6f}", r.seconds));
  text("clocksource", r.clocksource);
  text("mode", r.mode);
  text("mode_reason", r.mode_reason);
  text("order", r.order);
  text("profile", r.profile);
  raw("tolerance_ns", r.tolerance_ns);
  raw("clocks", fmt::format("{{{}}}", joined(r.clocks, ", ", clock_json)));
  raw("cpu_saved_ns", saved_ns(r));
  raw("cpu_saved_share", fmt::format("{:.6f}", saved_share(r)));
  text("cpu_saved_how", saved_how(r));
  raw("accuracy",
      fmt::format(
          R"({{"samples": {}, "p50_ns": {}, "p99_ns": {}, "max_ns": {}, "over_tolerance": {}}})",
          r.samples, r.p50_ns, r.p99_ns, r.max_ns, r.over_tolerance));
  raw("errors", fmt::format("[{}]", joined(r.errors, ", ", [](const Report::Bucket& b) {
                              return fmt::format(R"({{"up_to_ns": {}, "samples": {}}})", b.up_to_ns,
                                                 b.samples);
                            })));
  raw("disturbances", r.disturbances);
  raw("dropped", r.dropped);
  raw("notes", fmt::format("[{}]", joined(r.notes, ", ",
                                          [](const std::string& n) { return json_quoted(n); })));
  raw("advice", fmt::format("[{}]", joined(r.advice, ", ", [](const ReportAdvice& a) {
                              return fmt::format(
                                  R"({{"kind": {}, "text": {}, "callers": [{}], )"
                                  R"("saves_calls": {}, "saves_cpu_ns": {}}})",
                                  json_quoted(a.kind), json_quoted(a.text),
                                  joined(a.callers, ", ",
                                         [](const std::string& c) { return json_quoted(c); }),
                                  a.saves_calls, a.saves_cpu_ns);
                            })));
  raw("threads", threads_json(r));
  raw("rates", rates_json(r.rates));
  raw("stacks", fmt::format("[{}]", joined(r.stacks, ",", site_json)));
  return out + fmt::format("  \"sites\": [{}]\n}}\n", joined(r.sites, ",", site_json));
}

}  // namespace clockshim
