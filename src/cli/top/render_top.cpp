#include "cli/top/render_top.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/duration.h"
#include "report/columns.h"
#include "report/saved.h"
#include "report/text.h"
#include "report/wrap.h"

namespace clockshim::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kWidthInFiles = 132;

std::string fitted(const std::string& text, std::size_t width) {
  return left_column(shortened(text, width), width);
}
std::string cut(const std::string& text, std::size_t width) {
  std::string out;
  std::size_t n = 0;
  for_each_character(text, [&](std::string_view c) {
    if (n++ < width) out += c;
  });
  return out;
}
std::string whole(double rate) { return grouped(static_cast<std::uint64_t>(std::llround(rate))); }
std::string percent_of(double share) {
  const std::string tenths = std::to_string(static_cast<long>(std::llround(share * 1000)));
  return (tenths.size() < 2 ? "0" : tenths.substr(0, tenths.size() - 1)) + "." + tenths.back() +
         "%";
}

// The share of a core that serving saves; "-" where it saves nothing.
std::string saved_of(const ProcessRow& row) {
  return row.saved_ns == 0 ? "-" : percent_of(row.saved_share);
}

// The busiest clocks and their shares of the calls: "monotonic 70% realtime 30%".
std::string clocks_of(const ProcessRow& row) {
  std::string out;
  for (const ClockRow& clock : row.clocks) {
    const double part =
        row.calls == 0 ? 0 : static_cast<double>(clock.calls) / static_cast<double>(row.calls);
    out += (out.empty() ? "" : " ") + clock.clock + " " + std::to_string(std::llround(part * 100)) +
           "%";
  }
  return out;
}

bool contains(const std::string& text, const std::string& part) {
  const auto same = [](char a, char b) {
    return std::tolower(static_cast<unsigned char>(a)) ==
           std::tolower(static_cast<unsigned char>(b));
  };
  return std::search(text.begin(), text.end(), part.begin(), part.end(), same) != text.end();
}

// What matters most comes first: 80 columns end behind the calls.
std::string process_columns(const std::string& pid, const std::string& program,
                            const std::string& rate, const std::string& saved,
                            const std::string& mode, const std::string& calls,
                            const std::string& error, const std::string& resyncs,
                            const std::string& clocks) {
  return right_column(pid, 8) + " " + fitted(program, 19) + right_column(rate, 13) +
         right_column(saved, 8) + "  " + fitted(mode, kModeCell.width) + right_column(calls, 16) +
         right_column(error, 13) + right_column(resyncs, 11) + "  " + clocks;
}

// The worst error; "-" before a resync has measured one.
std::string error_of(const ProcessRow& row) {
  return row.max_error_ns == 0 ? "-" : format_duration(Nanos{row.max_error_ns});
}

// The name gets the rest of the width.
std::string caller_columns(std::size_t width, const std::string& rate, const std::string& calls,
                           const std::string& share, const std::string& clock,
                           const std::string& caller, const std::string& module) {
  constexpr std::size_t kOthers = 13 + 18 + 8 + 2 + 16 + 1 + 1 + 20;
  const std::size_t name = std::clamp<std::size_t>(width, kOthers + 24, kOthers + 100) - kOthers;
  return cut(right_column(rate, 13) + right_column(calls, 18) + right_column(share, 8) + "  " +
                 fitted(clock, 16) + " " + fitted(caller, name) + " " + module,
             width);
}

Json process_json(const ProcessRow& p) {
  Json clocks = Json::object();
  for (const ClockRow& clock : p.clocks)
    clocks[clock.clock] = {{"calls", clock.calls}, {"calls_per_s", clock.rate}};
  return {{"pid", p.pid},
          {"program", p.program},
          {"state", p.state},
          {"calls", p.calls},
          {"calls_per_s", p.rate},
          {"clocks", clocks},
          {"cpu_saved_ns", p.saved_ns},
          {"cpu_saved_share", p.saved_share},
          {"resyncs", p.resyncs},
          {"resyncs_per_s", p.resync_rate},
          {"max_error_ns", p.max_error_ns},
          {"tolerance_ns", p.tolerance_ns},
          {"mode", p.mode},
          {"mode_reason", p.mode_reason}};
}

}  // namespace

const std::vector<SortBy>& sort_columns(bool callers) {
  static const std::vector<SortBy> kOfProcesses{SortBy::rate, SortBy::total,   SortBy::name,
                                                SortBy::pid,  SortBy::resyncs, SortBy::error};
  static const std::vector<SortBy> kOfCallers{SortBy::rate, SortBy::total, SortBy::name,
                                              SortBy::clock};
  return callers ? kOfCallers : kOfProcesses;
}

std::string_view sort_name(SortBy by) {
  switch (by) {
    case SortBy::rate: return "calls/s";
    case SortBy::total: return "calls";
    case SortBy::name: return "name";
    case SortBy::pid: return "pid";
    case SortBy::clock: return "clock";
    case SortBy::resyncs: return "resyncs/s";
    case SortBy::error: return "worst error";
  }
  return "";
}

void sort_rows(std::vector<ProcessRow>& rows, SortBy by) {
  std::stable_sort(rows.begin(), rows.end(), [by](const ProcessRow& a, const ProcessRow& b) {
    switch (by) {
      case SortBy::name: return a.program != b.program ? a.program < b.program : a.pid < b.pid;
      case SortBy::pid: return a.pid < b.pid;
      case SortBy::resyncs: return a.resync_rate > b.resync_rate;
      case SortBy::error: return a.max_error_ns > b.max_error_ns;
      case SortBy::total: return a.calls > b.calls;
      default: return a.rate != b.rate ? a.rate > b.rate : a.calls > b.calls;
    }
  });
}

void sort_rows(std::vector<CallerRow>& rows, SortBy by) {
  std::stable_sort(rows.begin(), rows.end(), [by](const CallerRow& a, const CallerRow& b) {
    switch (by) {
      case SortBy::name: return a.caller.name < b.caller.name;
      case SortBy::clock:
        return a.caller.clock != b.caller.clock ? a.caller.clock < b.caller.clock : a.rate > b.rate;
      case SortBy::total: return a.calls > b.calls;
      default: return a.rate != b.rate ? a.rate > b.rate : a.calls > b.calls;
    }
  });
}

void filter_rows(std::vector<ProcessRow>& rows, const std::string& text) {
  std::erase_if(rows, [&](const ProcessRow& r) {
    return !contains(r.program, text) && !contains(std::to_string(r.pid), text) &&
           !contains(r.mode, text);
  });
}

void filter_rows(std::vector<CallerRow>& rows, const std::string& text) {
  std::erase_if(rows, [&](const CallerRow& r) {
    return !contains(r.caller.name, text) && !contains(r.caller.module, text) &&
           !contains(r.caller.clock, text);
  });
}

std::string header_line(bool callers, std::size_t width) {
  if (callers)
    return caller_columns(width, "calls/s", "calls", "share", "clock", "caller", "module");
  return cut(process_columns("pid", "program", "calls/s", "saved", "mode", "calls", "worst error",
                             "resyncs/s", "clocks"),
             width);
}

std::string row_line(const ProcessRow& row, std::size_t width) {
  return cut(process_columns(std::to_string(row.pid), one_line(row.program), whole(row.rate),
                             saved_of(row), row.mode, grouped(row.calls), error_of(row),
                             whole(row.resync_rate), clocks_of(row)),
             width);
}

std::string row_line(const CallerRow& row, std::size_t width) {
  return caller_columns(width, whole(row.rate), grouped(row.calls), percent_of(row.share),
                        row.caller.clock, row.caller.name, row.caller.module);
}

std::string totals_line(const std::vector<ProcessRow>& rows, std::size_t width) {
  double rate = 0;
  double saved = 0;
  std::size_t unserved = 0;
  for (const ProcessRow& row : rows) {
    rate += row.rate;
    saved += row.saved_share;
    unserved += row.mode == kUnserved ? 1 : 0;
  }
  std::string out = std::to_string(rows.size()) +
                    (rows.size() == 1 ? " process  " : " processes  ") + whole(rate) +
                    " calls/s  " + percent_of(saved) + " of a core saved";
  if (unserved != 0) out += "  " + std::to_string(unserved) + " not served";
  return cut(out, width);
}

std::string process_line(const ProcessRow& row, std::size_t width) {
  return cut(one_line(row.program) + "[" + std::to_string(row.pid) + "] " + row.state + "  " +
                 whole(row.rate) + " calls/s  " +
                 (row.saved_ns == 0 ? "-" : percent_of(row.saved_share) + " of a core saved") +
                 "  mode " + row.mode + "  " + grouped(row.calls) + " calls  CPU saved " +
                 (row.saved_ns == 0 ? "-" : short_time(static_cast<double>(row.saved_ns))) +
                 "  worst error " + error_of(row) + " of " +
                 format_duration(Nanos{row.tolerance_ns}) + "  " + whole(row.resync_rate) +
                 " resyncs/s",
             width);
}

std::string snapshot_as_text(Snapshot snapshot, bool callers, std::size_t width) {
  const bool in_file = width == 0;
  if (in_file) width = kWidthInFiles;
  sort_rows(snapshot.processes, SortBy::rate);
  sort_rows(snapshot.callers, SortBy::rate);
  std::string out;
  const auto add = [&](std::string line) {
    while (!line.empty() && line.back() == ' ') line.pop_back();
    out += line + "\n";
  };
  if (callers) {
    for (const ProcessRow& row : snapshot.processes) {
      const std::string line = process_line(row, std::string::npos);
      out += in_file ? line + "\n" : wrapped_behind("", line, width);
    }
  } else {
    add(totals_line(snapshot.processes, width));
  }
  add(header_line(callers, width));
  if (callers) {
    for (const CallerRow& row : snapshot.callers) add(row_line(row, width));
  } else {
    for (const ProcessRow& row : snapshot.processes) add(row_line(row, width));
  }
  return out;
}

std::string snapshot_as_json(const Snapshot& snapshot, bool callers) {
  Snapshot sorted = snapshot;
  sort_rows(sorted.processes, SortBy::rate);
  sort_rows(sorted.callers, SortBy::rate);
  Json processes = Json::array();
  for (const ProcessRow& p : sorted.processes) {
    Json one = process_json(p);
    if (callers) {
      Json all = Json::array();
      for (const CallerRow& c : sorted.callers) {
        all.push_back({{"caller", c.caller.name},
                       {"module", c.caller.module},
                       {"clock", c.caller.clock},
                       {"function", c.caller.function},
                       {"calls", c.calls},
                       {"calls_per_s", c.rate},
                       {"share", c.share}});
      }
      one["callers"] = all;
    }
    processes.push_back(one);
  }
  const Json out{{"schema_version", 1},
                 {"at", snapshot.at},
                 {"seconds", snapshot.seconds},
                 {"processes", processes}};
  return out.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace clockshim::cli
