// One self-contained page: totals, clocks, the flame graph, callers, errors. It is readable without
// its script, too.
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ctime>

#include "analysis/rates.h"
#include "base/duration.h"
#include "formats/flame.h"
#include "formats/formats.h"
#include "formats/page_assets.h"
#include "formats/thread_slices.h"
#include "report/saved.h"

namespace clockshim {
namespace {

std::string rate(std::uint64_t calls, double seconds) {
  return seconds <= 0
             ? "-"
             : grouped(static_cast<std::uint64_t>(static_cast<double>(calls) / seconds + 0.5));
}

std::string duration(std::int64_t ns) { return markup(format_duration(Nanos{ns})); }

std::string card(const std::string& value, const std::string& what) {
  return fmt::format("<div class=\"card\"><b>{}</b><span>{}</span></div>\n", value, what);
}

std::string number_cell(std::uint64_t n, bool sampled = false) {
  return fmt::format("<td class=\"n\" data-v=\"{}\">{}{}</td>", n, sampled ? "~" : "", grouped(n));
}

std::string saved_cell(std::int64_t ns) {
  return fmt::format("<td class=\"n\" data-v=\"{}\">{}</td>", ns,
                     ns == 0 ? "-" : short_time(static_cast<double>(ns)));
}

std::string share_cell(std::uint64_t part, std::uint64_t whole) {
  const double share = percent(part, whole);
  return fmt::format(
      "<td class=\"n share\" data-v=\"{:.6f}\" style=\"--part:{:.1f}%\">{:.1f} %</td>", share,
      std::min(share, 100.0), share);
}

std::string rate_cell(std::uint64_t calls, double seconds) {
  return fmt::format("<td class=\"n\" data-v=\"{:.3f}\">{}</td>",
                     seconds <= 0 ? 0 : static_cast<double>(calls) / seconds, rate(calls, seconds));
}

// The head of a table. A name that begins with '#' is the heading of a column of numbers.
std::string table_head(const char* id, std::initializer_list<std::string_view> names) {
  std::string out =
      fmt::format("<div class=\"scroll\"><table class=\"sorts\" id=\"{}\"><thead><tr>", id);
  for (std::string_view name : names) {
    const bool numbers = name.starts_with('#');
    if (numbers) name.remove_prefix(1);
    out += fmt::format("<th{}{}><button type=\"button\">{}</button></th>",
                       numbers ? " class=\"n\"" : "",
                       name == "calls" ? " aria-sort=\"descending\"" : "", name);
  }
  return out + "</tr></thead><tbody>\n";
}
constexpr const char* kTableEnd = "</tbody></table></div>\n";

std::string head(const Report& r) {
  std::string out = fmt::format("<h1>{}</h1>\n<div class=\"soft\">clockshim {}, {:.1f} s",
                                markup(process_name(r)), markup(r.version), r.seconds);
  if (r.started_at > 0)
    out += fmt::format(" from {:%Y-%m-%d %H:%M:%S} UTC",
                       fmt::gmtime(static_cast<std::time_t>(std::min(r.started_at, 2e11))));
  if (!r.state.empty()) out += ", " + markup(r.state);
  if (r.forked_from != 0) out += fmt::format(", forked from {}", r.forked_from);
  out += "<br>" + markup(saved_line(r));
  out += fmt::format("<br>mode {} ({}), order {}, tolerance {}, clocksource {}</div>\n",
                     markup(r.mode), markup(r.mode_reason), markup(r.order),
                     duration(r.tolerance_ns), markup(r.clocksource));
  return out;
}

std::string totals(const Report& r) {
  std::uint64_t served = 0;
  std::uint64_t resyncs = 0;
  for (const ReportClock& clock : r.clocks) {
    served += clock.served;
    resyncs += clock.resyncs;
  }
  std::string out = "<div class=\"cards\">\n";
  out += card(grouped(r.calls()), "calls") + card(rate(r.calls(), r.seconds), "calls a second");
  out += card(fmt::format("{:.2f} %", percent(served, r.calls())), "served from the timeline") +
         card(grouped(resyncs), "resyncs");
  if (saved_ns(r) != 0)
    out += card(short_time(static_cast<double>(saved_ns(r))),
                fmt::format("CPU saved, {:.1f} % of a core", saved_share(r) * 100));
  if (r.samples != 0) {
    out += card(duration(r.p50_ns), "error, median") +
           card(duration(r.p99_ns), "error, 99 of 100") + card(duration(r.max_ns), "error, worst");
    out += card(grouped(r.over_tolerance), fmt::format("of {} over tolerance", grouped(r.samples)));
  }
  out += card(grouped(r.disturbances), "disturbances") + card(grouped(r.dropped), "dropped");
  return out + "</div>\n";
}

std::string clock_table(const Report& r) {
  std::string out =
      "<h2>Clocks</h2>\n" + table_head("clocks", {"clock", "#calls", "#share", "#calls/s",
                                                  "#served", "#real", "#resyncs", "#saved"});
  std::vector<ReportClock> clocks = r.clocks;
  std::stable_sort(clocks.begin(), clocks.end(),
                   [](const ReportClock& a, const ReportClock& b) { return a.calls > b.calls; });
  for (const ReportClock& c : clocks) {
    out += fmt::format("<tr><td>{}</td>{}{}{}{}{}{}{}</tr>\n", markup(c.name), number_cell(c.calls),
                       share_cell(c.calls, r.calls()), rate_cell(c.calls, r.seconds),
                       number_cell(c.served), number_cell(c.real), number_cell(c.resyncs),
                       saved_cell(c.saved_ns));
  }
  return out + kTableEnd;
}

// A name that may be broken where its parts end, and nowhere else.
std::string breakable(std::string_view name) {
  std::string out;
  while (!name.empty()) {
    const std::size_t scope = name.find("::");
    const std::size_t comma = name.find(',');
    const std::size_t part = std::min(
        {name.size(), scope < comma ? scope + 2 : scope, comma < scope ? comma + 1 : comma});
    out += markup(name.substr(0, part)) + (part < name.size() ? "<wbr>" : "");
    name.remove_prefix(part);
  }
  return out;
}

std::string advice(const Report& r) {
  std::string out = r.advice.empty() ? "" : "<h2>Advice</h2>\n";
  for (const ReportAdvice& advice : r.advice) {
    out += "<div class=\"box advice\">" + markup(advice.text);
    // The text names a few of them.
    if (advice.callers.size() > 3) {
      out += fmt::format("<details><summary>all {} callers</summary>\n<ul>",
                         grouped(advice.callers.size()));
      for (const std::string& caller : advice.callers) out += "<li>" + markup(caller) + "</li>\n";
      out += "</ul></details>";
    }
    out += "</div>\n";
  }
  return out;
}

std::string caller_table(const Report& r) {
  constexpr std::size_t kMostRows = 2000;
  std::string out =
      "<h2>Callers</h2>\n<input id=\"filter\" type=\"search\" placeholder=\"filter\" "
      "aria-label=\"filter callers\">\n" +
      table_head("callers", {"#calls", "#share", "#calls/s", "#saved", "clock", "function",
                             "caller", "source", "module"});
  for (std::size_t i = 0; i < std::min(r.sites.size(), kMostRows); ++i) {
    const ReportSite& site = r.sites[i];
    const ReportFrame caller = caller_of(site);
    std::string via;
    for (std::size_t f = 0; f + 1 < exact_frames(site); ++f) {
      via += fmt::format("<span class=\"via\">via {}{}</span>",
                         breakable(function_name(site.frames[f])),
                         site.frames[f].inlined ? " (inlined)" : "");
    }
    out += fmt::format(
        "<tr>{}{}{}{}<td>{}</td><td>{}</td><td class=\"name\">{}{}</td><td title=\"{}\">{}</td><td "
        "title=\"{}\">{}</td></tr>\n",
        number_cell(site.calls, site.sampled), share_cell(site.calls, r.calls()),
        rate_cell(site.calls, r.seconds), saved_cell(saved_ns(r, site)), markup(site.clock),
        markup(site.function), breakable(function_name(caller)), via, markup(caller.file),
        markup(place(caller)), markup(caller.module), markup(module_name(caller)));
  }
  out += kTableEnd;
  if (r.sites.size() > kMostRows)
    out += fmt::format("<p class=\"soft\">{} more callers are not shown.</p>\n",
                       r.sites.size() - kMostRows);
  return out;
}

std::string thread_table(const Report& r) {
  if (r.threads.size() < 2) return "";
  std::string out =
      "<h2>Threads</h2>\n" +
      table_head("threads", {"#calls", "#share", "#calls/s", "thread", "clock", "busiest caller"});
  for (const ThreadSlice& slice : drawn_slices(r, {.threads = true})) {
    const ReportSite& site = slice.sites.front();
    out += fmt::format("<tr>{}{}{}<td>{}</td><td>{}</td><td class=\"name\">{}</td></tr>\n",
                       number_cell(slice.calls), share_cell(slice.calls, r.calls()),
                       rate_cell(slice.calls, r.seconds), markup(slice.thread), markup(site.clock),
                       markup(function_name(caller_of(site))));
  }
  return out + kTableEnd;
}

// Draws bars on a logarithmic time scale: a bucket is an eighth of an octave.
std::string histogram(const Report& r) {
  if (r.errors.empty()) return "";
  constexpr double kWidth = 1200;
  constexpr double kHeight = 160;
  const auto place_of = [](double ns) { return std::log2(std::max(ns, 1.0)); };
  double low = place_of(static_cast<double>(r.errors.front().up_to_ns)) - 1;
  double high =
      place_of(static_cast<double>(std::max(r.errors.back().up_to_ns, r.tolerance_ns))) + 1;
  std::uint64_t most = 1;
  for (const Report::Bucket& bucket : r.errors) {
    low = std::min(low, place_of(static_cast<double>(bucket.up_to_ns)) - 1);
    high = std::max(high, place_of(static_cast<double>(bucket.up_to_ns)) + 1);
    most = std::max(most, bucket.samples);
  }
  const auto x = [&](double ns) { return kWidth * (place_of(ns) - low) / (high - low); };
  const double bar = kWidth / (high - low) / 8;
  std::string out = fmt::format(
      "<h2>Errors at resync</h2>\n<div class=\"chart\"><svg class=\"bars\" viewBox=\"0 0 {} {}\" "
      "role=\"img\" "
      "aria-label=\"histogram of errors\">\n",
      kWidth, kHeight + 40);
  // A damaged file may have a bucket beyond what a duration can say.
  constexpr double kLongest = 1e18;
  for (double ns = 1; ns <= kLongest && place_of(ns) < high; ns *= 10) {
    if (place_of(ns) < low) continue;
    out += fmt::format(
        "<line x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"16\" y2=\"{1}\"/><text x=\"{0:.1f}\" y=\"{2}\" "
        "text-anchor=\"middle\">{3}</text>\n",
        x(ns), kHeight + 4, kHeight + 20, duration(static_cast<std::int64_t>(ns)));
  }
  for (const Report::Bucket& bucket : r.errors) {
    const double height = std::max(
        1.0, (kHeight - 20) * static_cast<double>(bucket.samples) / static_cast<double>(most));
    out += fmt::format(
        "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" rx=\"1\"><title>up to "
        "{}: {} of {}</title></rect>\n",
        x(static_cast<double>(bucket.up_to_ns)) - bar, kHeight - height, std::max(bar - 1, 1.0),
        height, duration(bucket.up_to_ns), grouped(bucket.samples), grouped(r.samples));
  }
  if (r.tolerance_ns > 0) {
    const double at = x(static_cast<double>(r.tolerance_ns));
    out += fmt::format(
        "<line class=\"limit\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"16\" y2=\"{1}\"/><text "
        "x=\"{0:.1f}\" y=\"11\" "
        "text-anchor=\"middle\">tolerance {2}</text>\n",
        at, kHeight, duration(r.tolerance_ns));
  }
  return out + "</svg></div>\n";
}

}  // namespace

std::string render_html(const Reports& reports, const StackOptions& options) {
  const Report report = reports.empty() ? Report{} : reports.front();
  const CallNode root = call_tree({report}, options);
  const FlameSize size = flame_size(root);
  std::string out = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta "
      "name=\"viewport\" content=\"width=device-width\">\n"
      "<title>{}: who asks for the time</title>\n<style>\n{}\n{}\n{}</style>\n</head>\n<body>\n",
      markup(process_name(report)), kPageStyle, kFlameStyle, kRateStyle);
  out += head(report) + totals(report);
  for (const std::string& note : report.notes)
    out += "<div class=\"box\">" + markup(note) + "</div>\n";
  out += rate_charts(report.rates) + clock_table(report);
  out += fmt::format(
      "<h2>Who asks</h2>\n<p class=\"soft\">{}</p>\n<input id=\"find\" type=\"search\" "
      "placeholder=\"find functions\" aria-label=\"find functions\"><span id=\"found\" "
      "class=\"soft\" aria-live=\"polite\"></span>\n<div class=\"flame\"><svg "
      "viewBox=\"0 0 {} {}\">\n{}</svg></div>\n",
      flame_hint(root, options), size.width, size.height, flame_boxes(root));
  out += advice(report) + caller_table(report) + thread_table(report) + histogram(report);
  return out +
         fmt::format("<script>\n{}{}</script>\n</body>\n</html>\n", kFlameScript, kPageScript);
}

}  // namespace clockshim
