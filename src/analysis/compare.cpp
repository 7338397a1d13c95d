#include "analysis/compare.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "report/fitted_table.h"
#include "report/frames.h"
#include "report/text.h"
#include "report/text_table.h"
#include "report/wrap.h"

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

std::string difference_of(const Change& change) {
  return (std::llround(change.difference()) < 0 ? "-" : "+") + amount(change.difference());
}

bool is_unchanged(const Change& change) {
  return std::llround(change.before) == std::llround(change.after) &&
         change.kind == Change::Kind::both;
}

std::string run_line(const char* label, const Report& report) {
  std::string line = label + process_name(report) + ", " + decimal(report.seconds) + " s, " +
                     grouped(report.calls()) + " calls";
  if (report.profile == "off") line += ", not counted (CLOCKSHIM_PROFILE=off)";
  if (report.dropped != 0) line += ", " + grouped(report.dropped) + " of them under no caller";
  return line + "\n";
}

// The names get the room that the other columns leave. Where there is little, a module stands below
// its name; where there is hardly any, the name and even the clock do, too. A name that is cut
// stands below as a whole.
class ChangeTable {
 public:
  ChangeTable(const std::string& unit, std::size_t width)
      : width_(width),
        table_({{"before" + unit, Side::right},
                {"after" + unit, Side::right},
                {"difference", Side::right},
                {"ratio", Side::right},
                {"clock"},
                {"caller"},
                {"module"}}) {}

  void add(const Change& change) {
    const Caller& caller = change.caller;
    callers_.push_back({one_line(caller.clock), one_line(caller.name), one_line(caller.module)});
    const auto& [clock, name, module] = callers_.back();
    table_.add_row({amount(change.before), amount(change.after), difference_of(change),
                    ratio_of(change), clock, name, module});
  }

  [[nodiscard]] std::string text() {
    const std::size_t left = width_ - std::min(width_, table_.width_before(kName));
    const std::size_t of_module = std::min(table_.width(kName + 1), kWidestModule) + 2;
    std::size_t columns = kName + 2;
    if (table_.width_before(kName + 1) + table_.width(kName + 1) > width_) {
      const std::size_t least = std::min(table_.width(kName), kLeastName);
      if (left < least + of_module) columns = left < least ? kName : kName + 1;
      table_.narrow(kName + 1, kWidestModule);
      table_.narrow(kName, columns == kName + 2 ? left - of_module : left);
      if (left == 0) columns = kName - 1;
    }
    std::string out = table_.headings(columns);
    for (std::size_t i = 0; i < table_.rows(); ++i) {
      out += table_.row(i, columns);
      const auto& [clock, name, module] = callers_[i];
      if (columns <= kName) {
        std::string whole = columns < kName && !clock.empty() ? clock + ", " : "";
        whole += name;
        out += below("", whole);
      } else if (shortened(name, table_.width(kName)) != name) {
        out += below("= ", name);
      }
      if (columns < kName + 2 && !module.empty()) out += below("in ", module);
    }
    return out;
  }

 private:
  using Side = TableColumn::Side;
  struct Names {
    std::string clock;
    std::string name;
    std::string module;
  };
  static constexpr std::size_t kName = 5;
  static constexpr std::size_t kLeastName = 20;
  static constexpr std::size_t kWidestModule = 40;
  static constexpr std::size_t kMostLines = 16;  // of one name

  [[nodiscard]] std::string below(const char* what, const std::string& text) const {
    const std::size_t indent = std::min(table_.width_before(kName), width_ / 4);
    return wrapped_behind(std::string(indent, ' ') + what,
                          shortened(text, kMostLines * (width_ - indent)), width_);
  }

  std::size_t width_;
  FittedTable table_;
  std::vector<Names> callers_{};
};

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

Comparison compare(const Report& before, const Report& after, Amounts amounts) {
  Comparison out;
  out.per_second = amounts == Amounts::by_length && lengths_differ(before.seconds, after.seconds);
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

std::string render_diff_text(const Report& before, const Report& after, Amounts amounts,
                             std::size_t width) {
  const Comparison comparison = compare(before, after, amounts);
  std::string out = run_line("before: ", before) + run_line("after:  ", after);
  if (comparison.per_second)
    out += "the runs' lengths differ: calls a second are compared (--calls: calls)\n";
  const std::string unit = comparison.per_second ? " /s" : "";
  ChangeTable table(unit, width == 0 ? kTextWidth : width);
  table.add(comparison.all);
  std::size_t unchanged = 0;
  for (const Change& change : comparison.callers) {
    if (is_unchanged(change)) {
      ++unchanged;
    } else {
      table.add(change);
    }
  }
  out += "\n" + table.text();
  if (unchanged != 0)
    out += std::to_string(unchanged) +
           (unchanged == 1 ? " caller as before\n" : " callers as before\n");
  return out;
}

std::string render_diff_json(const Report& before, const Report& after, Amounts amounts) {
  const Comparison comparison = compare(before, after, amounts);
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
