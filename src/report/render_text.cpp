// The report for people: a summary in 100 columns, with the 20 busiest callers and the sum of the
// rest.
#include <fmt/format.h>

#include "base/duration.h"
#include "report/frames.h"
#include "report/report.h"
#include "report/saved.h"
#include "report/text_table.h"

namespace clockshim {
namespace {

constexpr std::size_t kWidth = 100;
constexpr std::size_t kIndent = 57;  // for the lines below a caller
constexpr std::size_t kTopSites = 20;
// A name's column, and the one for savings, which is taken from it where there are any.
constexpr std::size_t kNameWidth = 32;
constexpr std::size_t kSavedWidth = 9;

std::string rate(std::uint64_t calls, double seconds) {
  return seconds <= 0
             ? "-"
             : grouped(static_cast<std::uint64_t>(static_cast<double>(calls) / seconds + 0.5));
}

std::string frame_name(const ReportFrame& frame) {
  if (frame.symbol.empty() || interpreted(frame)) return function_name(frame);
  if (frame.inlined) return function_name(frame) + " (inlined)";
  return fmt::format("{}+{:#x}", function_name(frame), frame.symbol_offset);
}

std::string saved_column(const Report& r, const std::string& text) {
  return saved_ns(r) == 0 ? "" : fmt::format(" {:>{}}", text, kSavedWidth - 1);
}

std::string saved_time(std::int64_t ns) {
  return ns == 0 ? "-" : short_time(static_cast<double>(ns));
}

std::size_t name_width(const Report& r) {
  return saved_ns(r) == 0 ? kNameWidth : kNameWidth - kSavedWidth;
}

void add_below(std::string& out, const std::string& what, const std::string& text) {
  out += fmt::format("{:>{}}{}\n", what, kIndent, shortened(text, kWidth - kIndent));
}

}  // namespace

std::string text_caller(const Report& r, const ReportSite& site, bool with_via) {
  const ReportFrame caller = caller_of(site);
  const std::string name = frame_name(caller);
  const std::string short_name = shortened(name, name_width(r));
  std::string out = fmt::format(
      "{:>13} {:>6.1f}% {:>12}{}  {:<16} {:<{}} {}\n",
      (site.sampled ? "~" : "") + grouped(site.calls), percent(site.calls, r.calls()),
      rate(site.calls, r.seconds), saved_column(r, saved_time(saved_ns(r, site))),
      one_line(site.clock), short_name, name_width(r), shortened(module_name(caller), 14));
  if (short_name != name) add_below(out, "= ", name);
  if (const std::string at = place_beside_name(caller); !at.empty()) add_below(out, "at ", at);
  for (std::size_t i = 0; with_via && i + 1 < exact_frames(site); ++i) {
    const ReportFrame& via = site.frames[i];
    add_below(out, "via ",
              frame_name(via) + (via.inlined && !via.file.empty() ? ", " + place(via) : ""));
  }
  return out;
}

std::string text_line(const Report& r, std::uint64_t calls, std::int64_t saved,
                      const std::string& name) {
  return fmt::format("{:>13} {:>6.1f}% {:>12}{}  {}\n", grouped(calls), percent(calls, r.calls()),
                     rate(calls, r.seconds), saved_column(r, saved_time(saved)), name);
}

std::string text_columns(const Report& r) {
  return fmt::format("\n{:>13} {:>7} {:>12}{}  {:<16} {:<{}} {}\n", "calls", "share", "calls/s",
                     saved_column(r, "saved"), "clock", "caller", name_width(r), "module");
}

std::string text_callers(const Report& r) {
  if (r.sites.empty()) return "";
  std::string out = text_columns(r);
  std::uint64_t rest = 0;
  std::int64_t rest_saved = 0;
  for (std::size_t i = 0; i < r.sites.size(); ++i) {
    if (i < kTopSites) {
      out += text_caller(r, r.sites[i], true);
    } else {
      rest += r.sites[i].calls;
      rest_saved += saved_ns(r, r.sites[i]);
    }
  }
  if (rest != 0)
    out += text_line(r, rest, rest_saved,
                     fmt::format("{:<16} {} more callers", "", r.sites.size() - kTopSites));
  return out;
}

std::string text_head(const Report& r) {
  std::uint64_t served = 0;
  std::uint64_t real = 0;
  std::uint64_t resyncs = 0;
  for (const auto& clock : r.clocks) {
    served += clock.served;
    real += clock.real;
    resyncs += clock.resyncs;
  }
  std::string out =
      fmt::format("clockshim {}: {}, {:.1f} s{}{}\n", one_line(r.version), process_name(r),
                  r.seconds, r.state.empty() || r.state == "ended" ? "" : ", " + one_line(r.state),
                  r.forked_from == 0 ? "" : fmt::format(", forked from {}", r.forked_from));
  if (r.profile == "off") {
    out += fmt::format("calls not counted (CLOCKSHIM_PROFILE=off)  resyncs {}\n", grouped(resyncs));
  } else {
    out += fmt::format("calls {}  served {} ({:.2f} %)  real {}  resyncs {}  {} calls/s\n",
                       grouped(r.calls()), grouped(served), percent(served, r.calls()),
                       grouped(real), grouped(resyncs), rate(r.calls(), r.seconds));
  }
  out += saved_line(r) + "\n";
  out += fmt::format("mode {} ({}), {}, tolerance {}\n", one_line(r.mode), one_line(r.mode_reason),
                     one_line(r.order), format_duration(Nanos{r.tolerance_ns}));
  if (r.samples != 0) {
    out += fmt::format("error at resync p50 {}  p99 {}  max {}  over tolerance {} of {}\n",
                       format_duration(Nanos{r.p50_ns}), format_duration(Nanos{r.p99_ns}),
                       format_duration(Nanos{r.max_ns}), grouped(r.over_tolerance),
                       grouped(r.samples));
  }
  out += fmt::format("disturbances {}  dropped {}\n", grouped(r.disturbances), grouped(r.dropped));
  for (const auto& note : r.notes) out += fmt::format("note: {}\n", one_line(note));
  return out;
}

std::string text_advice(const Report& r) {
  std::string out = r.advice.empty() ? "" : "\n";
  for (const auto& advice : r.advice) out += fmt::format("advice: {}\n", one_line(advice.text));
  return out;
}

std::string render_text(const Report& r) { return text_head(r) + text_callers(r) + text_advice(r); }

}  // namespace clockshim
