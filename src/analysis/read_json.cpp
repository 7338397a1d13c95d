#include "analysis/read_json.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "analysis/rates.h"
#include "report/threads.h"

namespace clockshim {
namespace {

using UnorderedJson = nlohmann::json;

// A value is not what the format says. It is thrown and caught in this file.
struct Wrong : std::runtime_error {
  Wrong(const char* key, const char* must)
      : std::runtime_error(std::string("is no report: \"") + key + "\" must be " + must) {}
};

// The value of an optional key; null if it is missing or null.
const UnorderedJson* find(const UnorderedJson& in, const char* key) {
  const auto found = in.find(key);
  return found == in.end() || found->is_null() ? nullptr : &*found;
}

std::string text(const UnorderedJson& in, const char* key) {
  const UnorderedJson* value = find(in, key);
  if (value == nullptr) return "";
  if (!value->is_string()) throw Wrong(key, "a string");
  return value->get<std::string>();
}

std::vector<std::string> texts(const UnorderedJson& in, const char* key) {
  std::vector<std::string> out;
  const UnorderedJson* value = find(in, key);
  if (value == nullptr) return out;
  for (const UnorderedJson& one : *value) {
    if (!value->is_array() || !one.is_string()) throw Wrong(key, "an array of strings");
    out.push_back(one.get<std::string>());
  }
  return out;
}

template <class Integer>
Integer whole(const UnorderedJson& in, const char* key) {
  const UnorderedJson* value = find(in, key);
  if (value == nullptr) return 0;
  const bool fits = value->is_number_unsigned() &&
                    value->get<std::uint64_t>() <=
                        static_cast<std::uint64_t>(std::numeric_limits<Integer>::max());
  if (!fits) throw Wrong(key, "a whole number, not negative");
  return static_cast<Integer>(value->get<std::uint64_t>());
}

double number(const UnorderedJson& in, const char* key) {
  const UnorderedJson* value = find(in, key);
  if (value == nullptr) return 0;
  if (!value->is_number()) throw Wrong(key, "a number");
  return value->get<double>();
}

// What a call costs, in nanoseconds; 0 if that is not known.
double cost(const UnorderedJson& in, const char* key) {
  constexpr double kMost = 1e9;
  const double ns = number(in, key);
  if (!(ns >= 0 && ns <= kMost)) throw Wrong(key, "nanoseconds, less than a second of them");
  return ns;
}

bool flag(const UnorderedJson& in, const char* key) {
  const UnorderedJson* value = find(in, key);
  if (value == nullptr) return false;
  if (!value->is_boolean()) throw Wrong(key, "true or false");
  return value->get<bool>();
}

// Calls f with each element of an array of objects, which may be missing.
template <class F>
void each_object(const UnorderedJson& in, const char* key, F f) {
  const UnorderedJson* value = find(in, key);
  if (value == nullptr) return;
  if (!value->is_array()) throw Wrong(key, "an array");
  for (const UnorderedJson& element : *value) {
    if (!element.is_object()) throw Wrong(key, "an array of objects");
    f(element);
  }
}

ReportFrame frame_of(const UnorderedJson& in) {
  ReportFrame frame;
  frame.symbol = text(in, "symbol");
  frame.module = text(in, "module");
  frame.build_id = text(in, "build_id");
  frame.file = text(in, "file");
  frame.line = whole<std::uint32_t>(in, "line");
  frame.inlined = flag(in, "inlined");
  frame.offset = whole<std::uint64_t>(in, "offset");
  frame.symbol_offset = whole<std::uint64_t>(in, "symbol_offset");
  return frame;
}

ReportSite site_of(const UnorderedJson& in) {
  ReportSite site;
  site.calls = whole<std::uint64_t>(in, "calls");
  site.clock = text(in, "clock");
  site.function = text(in, "function");
  site.sampled = flag(in, "sampled");
  site.exact_frames = whole<std::size_t>(in, "exact_frames");
  each_object(in, "frames",
              [&](const UnorderedJson& frame) { site.frames.push_back(frame_of(frame)); });
  return site;
}

// Reads one number for each look.
std::vector<std::uint64_t> series(const UnorderedJson& in, std::size_t looks) {
  const char* const must = "an array of as many whole numbers as \"times\" has";
  if (!in.is_array() || in.size() != looks) throw Wrong("calls", must);
  std::vector<std::uint64_t> out;
  for (const UnorderedJson& number : in) {
    if (!number.is_number_unsigned()) throw Wrong("calls", must);
    out.push_back(number.get<std::uint64_t>());
  }
  return out;
}

void read_rates(const UnorderedJson& in, Report& r) {
  const UnorderedJson* rates = find(in, "rates");
  if (rates == nullptr) return;
  if (!rates->is_object()) throw Wrong("rates", "an object");
  r.rates.interval = number(*rates, "interval");
  r.rates.started_at = number(*rates, "started_at");
  if (const UnorderedJson* times = find(*rates, "times")) {
    for (const UnorderedJson& time : *times) {
      const bool fits = time.is_number() &&
                        time.get<double>() > (r.rates.times.empty() ? 0 : r.rates.times.back());
      if (!fits || time.get<double>() > 1e9) throw Wrong("times", "an array of ascending seconds");
      r.rates.times.push_back(time.get<double>());
    }
  }
  const std::size_t looks = r.rates.times.size();
  if (const UnorderedJson* clocks = find(*rates, "clocks")) {
    if (!clocks->is_object()) throw Wrong("clocks", "an object of arrays");
    for (const auto& [name, calls] : clocks->items())
      r.rates.clocks.push_back({name, "", "", "", series(calls, looks)});
  }
  each_object(*rates, "callers", [&](const UnorderedJson& one) {
    const UnorderedJson* calls = find(one, "calls");
    r.rates.callers.push_back({text(one, "clock"), text(one, "caller"), text(one, "module"),
                               text(one, "function"),
                               series(calls == nullptr ? UnorderedJson() : *calls, looks)});
  });
  sort_by_calls(r.rates.clocks);
  sort_by_calls(r.rates.callers);
}

// Reads threads before sites are sorted, because a thread's sites are given by their indices.
void read_threads(const UnorderedJson& in, Report& r) {
  each_object(in, "threads", [&](const UnorderedJson& one) {
    ReportThread& thread = r.threads.emplace_back();
    thread.tid = whole<std::uint32_t>(one, "tid");
    thread.name = text(one, "name");
    thread.pid = whole<long>(one, "pid");
    thread.threads = whole<std::uint64_t>(one, "threads");
    thread.ended = flag(one, "ended");
    thread.shared = flag(one, "shared");
    each_object(one, "sites", [&](const UnorderedJson& share) {
      const auto site = whole<std::size_t>(share, "site");
      if (site >= r.sites.size()) throw Wrong("site", "the number of one of \"sites\"");
      r.sites[site].threads.push_back({r.threads.size() - 1, whole<std::uint64_t>(share, "calls")});
    });
  });
}

void read_head(const UnorderedJson& in, Report& r) {
  r.version = text(in, "clockshim_version");
  r.program = text(in, "program");
  r.pid = whole<long>(in, "pid");
  r.forked_from = whole<long>(in, "forked_from");
  r.state = text(in, "state");
  r.started_at = number(in, "started_at");
  r.seconds = number(in, "seconds");
  r.clocksource = text(in, "clocksource");
  r.mode = text(in, "mode");
  r.mode_reason = text(in, "mode_reason");
  r.order = text(in, "order");
  r.profile = text(in, "profile");
  r.saved_how = text(in, "cpu_saved_how");
  r.tolerance_ns = whole<std::int64_t>(in, "tolerance_ns");
  r.disturbances = whole<std::uint64_t>(in, "disturbances");
  r.dropped = whole<std::uint64_t>(in, "dropped");
  if (const UnorderedJson* pids = find(in, "pids"); pids != nullptr && pids->size() > 1) {
    for (const UnorderedJson& pid : *pids) {
      if (!pid.is_number_unsigned()) throw Wrong("pids", "an array of process ids");
      r.pids.push_back(pid.get<long>());
    }
  }
  r.notes = texts(in, "notes");
}

void read_clocks(const UnorderedJson& in, Report& r) {
  if (!in.contains("clocks") || !in["clocks"].is_object()) throw Wrong("clocks", "an object");
  for (const auto& [name, clock] : in["clocks"].items()) {
    if (!clock.is_object()) throw Wrong("clocks", "an object of objects");
    r.clocks.push_back({name, whole<std::uint64_t>(clock, "calls"),
                        whole<std::uint64_t>(clock, "served"), whole<std::uint64_t>(clock, "real"),
                        whole<std::uint64_t>(clock, "resyncs"), cost(clock, "real_call_ns"),
                        cost(clock, "served_call_ns"), whole<std::int64_t>(clock, "saved_ns")});
  }
  if (const UnorderedJson* accuracy = find(in, "accuracy")) {
    if (!accuracy->is_object()) throw Wrong("accuracy", "an object");
    r.samples = whole<std::uint64_t>(*accuracy, "samples");
    r.p50_ns = whole<std::int64_t>(*accuracy, "p50_ns");
    r.p99_ns = whole<std::int64_t>(*accuracy, "p99_ns");
    r.max_ns = whole<std::int64_t>(*accuracy, "max_ns");
    r.over_tolerance = whole<std::uint64_t>(*accuracy, "over_tolerance");
  }
  each_object(in, "errors", [&](const UnorderedJson& bucket) {
    r.errors.push_back(
        {whole<std::int64_t>(bucket, "up_to_ns"), whole<std::uint64_t>(bucket, "samples")});
  });
}

void read_all(const UnorderedJson& in, Report& r) {
  if (!in.is_object() || !in.contains("schema_version"))
    throw std::runtime_error("is JSON, but no report: it has no \"schema_version\"");
  if (const UnorderedJson& version = in["schema_version"]; version != 1) {
    throw std::runtime_error(
        "is of schema version " +
        version.dump(-1, ' ', true, UnorderedJson::error_handler_t::replace).substr(0, 20) +
        "; this command reads 1");
  }
  if (!in.contains("sites") || !in["sites"].is_array()) throw Wrong("sites", "an array");
  read_head(in, r);
  read_clocks(in, r);
  each_object(in, "advice", [&](const UnorderedJson& advice) {
    r.advice.push_back({text(advice, "kind"), text(advice, "text"), texts(advice, "callers"),
                        whole<std::uint64_t>(advice, "saves_calls"),
                        whole<std::int64_t>(advice, "saves_cpu_ns")});
  });
  each_object(in, "sites", [&](const UnorderedJson& site) { r.sites.push_back(site_of(site)); });
  each_object(in, "stacks", [&](const UnorderedJson& site) { r.stacks.push_back(site_of(site)); });
  read_rates(in, r);
  read_threads(in, r);
  settle_threads(r);
  std::stable_sort(r.sites.begin(), r.sites.end(),
                   [](const ReportSite& a, const ReportSite& b) { return a.calls > b.calls; });
}

}  // namespace

bool read_json(std::string_view json, Report& out, std::string& problem) {
  const UnorderedJson parsed = UnorderedJson::parse(json, nullptr, false);
  if (parsed.is_discarded()) {
    problem = "is neither a live file nor a report: not JSON, or cut short";
    return false;
  }
  try {
    Report report;
    read_all(parsed, report);
    out = std::move(report);
    return true;
  } catch (const std::exception& wrong) {
    problem = wrong.what();
    return false;
  }
}

}  // namespace clockshim
