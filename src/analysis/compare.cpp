#include "analysis/compare.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "report/columns.h"
#include "report/frames.h"
#include "report/text.h"

namespace clockshim {
namespace {

using Json = nlohmann::ordered_json;

constexpr double kSameLength = 0.05;

// Whether the runs' lengths differ by more than 5 %. A process that ended at once has no length;
// then only calls can be compared.
bool lengths_differ(double a, double b) {
  return a > 0 && b > 0 && std::abs(a - b) > kSameLength * std::max(a, b);
}

std::string amount(double n) {
  return grouped(static_cast<std::uint64_t>(std::llround(std::abs(n))));
}
std::string decimal(double n) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", n < 10 ? 2 : n < 1000 ? 1 : 0, n);
  return text;
}
std::string ratio_of(const Change& change) {
  if (change.kind == Change::Kind::appeared) return "new";
  if (change.kind == Change::Kind::gone) return "gone";
  return change.before > 0 ? "x" + decimal(change.ratio()) : "-";
}

std::string columns(const std::string& before, const std::string& after,
                    const std::string& difference, const std::string& ratio,
                    const std::string& clock, const std::string& caller,
                    const std::string& module) {
  std::string line = right_column(before, 15) + right_column(after, 16) +
                     right_column(difference, 17) + right_column(ratio, 9) + "  " +
                     left_column(clock, 16) + " " + left_column(shortened(caller, 40), 40) + " " +
                     module;
  while (line.back() == ' ') line.pop_back();
  return line + "\n";
}

std::string line_of(const Change& change) {
  const std::string sign = std::llround(change.difference()) < 0 ? "-" : "+";
  return columns(amount(change.before), amount(change.after), sign + amount(change.difference()),
                 ratio_of(change), change.caller.clock, change.caller.name, change.caller.module);
}

std::string run_line(const char* label, const Report& report) {
  std::string line = label + process_name(report) + ", " + decimal(report.seconds) + " s, " +
                     grouped(report.calls()) + " calls";
  if (report.profile == "off") line += ", not counted (CLOCKSHIM_PROFILE=off)";
  if (report.dropped != 0) line += ", " + grouped(report.dropped) + " of them under no caller";
  return line + "\n";
}

Json run_json(const Report& report) {
  return {{"program", report.program},
          {"pid", report.pid},
          {"seconds", report.seconds},
          {"calls", report.calls()}};
}

Json change_json(const Change& change, const Report& before, const Report& after) {
  const auto rate = [](std::uint64_t calls, double seconds) {
    return seconds > 0 ? Json(static_cast<double>(calls) / seconds) : Json(nullptr);
  };
  return {{"calls_before", change.calls_before},
          {"calls_after", change.calls_after},
          {"calls_per_s_before", rate(change.calls_before, before.seconds)},
          {"calls_per_s_after", rate(change.calls_after, after.seconds)},
          {"difference", change.difference()},
          {"ratio", change.before > 0 ? Json(change.ratio()) : Json(nullptr)}};
}

}  // namespace

Comparison compare(const Report& before, const Report& after) {
  Comparison out;
  out.per_second = lengths_differ(before.seconds, after.seconds);
  const double length_before = out.per_second ? before.seconds : 1;
  const double length_after = out.per_second ? after.seconds : 1;
  const auto finish = [&](Change& change) {
    change.before = static_cast<double>(change.calls_before) / length_before;
    change.after = static_cast<double>(change.calls_after) / length_after;
    change.kind = change.calls_before == 0  ? Change::Kind::appeared
                  : change.calls_after == 0 ? Change::Kind::gone
                                            : Change::Kind::both;
  };
  std::map<Caller, Change> callers;
  for (const auto& [caller, calls] : calls_by_caller(before)) callers[caller].calls_before = calls;
  for (const auto& [caller, calls] : calls_by_caller(after)) callers[caller].calls_after = calls;
  for (auto& [caller, change] : callers) {
    if (change.calls_before == 0 && change.calls_after == 0) continue;
    change.caller = caller;
    finish(change);
    out.callers.push_back(change);
  }
  std::stable_sort(out.callers.begin(), out.callers.end(), [](const Change& a, const Change& b) {
    return std::abs(a.difference()) > std::abs(b.difference());
  });
  out.all.calls_before = before.calls();
  out.all.calls_after = after.calls();
  finish(out.all);
  out.all.caller.name = "all callers";
  return out;
}

std::string render_diff_text(const Report& before, const Report& after) {
  const Comparison comparison = compare(before, after);
  std::string out = run_line("before: ", before) + run_line("after:  ", after);
  if (comparison.per_second) out += "the runs' lengths differ: calls a second are compared\n";
  const std::string unit = comparison.per_second ? " /s" : "";
  out += "\n" + columns("before" + unit, "after" + unit, "difference", "ratio", "clock", "caller",
                        "module");
  out += line_of(comparison.all);
  std::size_t unchanged = 0;
  for (const Change& change : comparison.callers) {
    if (std::llround(change.before) == std::llround(change.after) &&
        change.kind == Change::Kind::both) {
      ++unchanged;
    } else {
      out += line_of(change);
    }
  }
  if (unchanged != 0)
    out += std::to_string(unchanged) +
           (unchanged == 1 ? " caller as before\n" : " callers as before\n");
  return out;
}

std::string render_diff_json(const Report& before, const Report& after) {
  const Comparison comparison = compare(before, after);
  Json callers = Json::array();
  for (const Change& change : comparison.callers) {
    constexpr const char* kKinds[] = {"both", "new", "gone"};
    Json one{{"caller", change.caller.name},
             {"module", change.caller.module},
             {"clock", change.caller.clock},
             {"function", change.caller.function},
             {"in", kKinds[static_cast<unsigned>(change.kind)]}};
    one.update(change_json(change, before, after));
    callers.push_back(one);
  }
  const Json out{{"schema_version", 1},
                 {"before", run_json(before)},
                 {"after", run_json(after)},
                 {"compared", comparison.per_second ? "calls_per_s" : "calls"},
                 {"all", change_json(comparison.all, before, after)},
                 {"callers", callers}};
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace clockshim
