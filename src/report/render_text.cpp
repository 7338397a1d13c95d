// The report for people: a summary, with the 20 busiest callers and the sum of the rest.
#include <fmt/format.h>

#include <algorithm>

#include "base/duration.h"
#include "report/columns.h"
#include "report/frames.h"
#include "report/report.h"
#include "report/saved.h"
#include "report/text_table.h"
#include "report/wrap.h"

namespace clockshim {
namespace {

constexpr std::size_t kTopSites = 20;
constexpr std::size_t kShare = 7;
constexpr std::size_t kSaved = 8;
constexpr std::size_t kLeastName = 20;  // with less, a name's module goes below it
constexpr std::size_t kWidestModule = 40;
constexpr std::size_t kMostLines = 16;  // of one name

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

std::string saved_time(std::int64_t ns) {
  return ns == 0 ? "-" : short_time(static_cast<double>(ns));
}

std::string share_of(std::uint64_t calls, std::uint64_t all) {
  return fmt::format("{:.1f}%", percent(calls, all));
}

// Wraps each line of a text, which ends in a line feed.
std::string wrapped_lines(std::string_view text, std::size_t width) {
  std::string out;
  for (; !text.empty(); text.remove_prefix(text.find('\n') + 1))
    out += wrapped_behind("", text.substr(0, text.find('\n')), width);
  return out;
}

}  // namespace

TextTable::TextTable(const Report& r, std::size_t width)
    : report_(r), width_(width), saved_(saved_ns(r) == 0 ? 0 : kSaved) {
  const bool wide = width >= kTextWidth;
  if (!wide) {
    calls_ = grouped(r.calls()).size() + 1;  // a sampled one has a sign
    rate_ = std::max(rate(r.calls(), r.seconds).size(), std::string_view("calls/s").size());
    clock_ = std::string_view("clock").size();
    for (const ReportSite& site : r.sites)
      clock_ = std::max(clock_, std::min<std::size_t>(one_line(site.clock).size(), 16));
  }
  const std::size_t before =
      calls_ + 1 + kShare + 1 + rate_ + (saved_ == 0 ? 0 : saved_ + 1) + 2 + clock_ + 1;
  const std::size_t left = width > before ? width - before : 1;
  if (wide) {
    module_ += std::min((width - kTextWidth) / 4, kWidestModule - module_);
  } else if (left < kLeastName + 1 + module_) {
    module_ = 0;
  }
  name_ = module_ == 0 ? left : left - module_ - 1;
  if (module_ != 0) share_room();
  if (!wide) below_ = std::min(before + 2, width / 2);
}

// Gives what either of names and modules has to spare to the other, by those of the busiest
// callers.
void TextTable::share_room() {
  std::size_t names = 0;
  std::size_t modules = std::string_view("module").size();
  for (std::size_t i = 0; i < std::min(report_.sites.size(), kTopSites); ++i) {
    const ReportFrame caller = caller_of(report_.sites[i]);
    names = std::max(names, frame_name(caller).size());
    modules = std::max(modules, std::min(module_name(caller).size(), kWidestModule));
  }
  if (names > name_ && modules < module_) {
    const std::size_t more = std::min(names - name_, module_ - modules);
    name_ += more;
    module_ -= more;
  } else if (names < name_ && modules > module_) {
    const std::size_t more = std::min(name_ - names, modules - module_);
    name_ -= more;
    module_ += more;
  }
}

std::string TextTable::numbers(const std::string& calls, const std::string& share,
                               const std::string& rate, const std::string& saved) const {
  std::string out = fmt::format("{:>{}} {:>{}} {:>{}}", calls, calls_, share, kShare, rate, rate_);
  if (saved_ != 0) out += fmt::format(" {:>{}}", saved, saved_);
  return out + "  ";
}

void TextTable::add_below(std::string& out, const std::string& what,
                          const std::string& text) const {
  const std::size_t room = width_ - std::min(width_ - 1, below_);
  out += wrapped_behind(fmt::format("{:>{}}", what, below_), shortened(text, kMostLines * room),
                        width_);
}

std::string TextTable::headings() const {
  std::string out =
      "\n" + numbers("calls", "share", "calls/s", "saved") + left_column("clock", clock_) + " ";
  return out + (module_ == 0 ? "caller" : left_column("caller", name_) + " module") + "\n";
}

std::string TextTable::caller(const ReportSite& site, bool with_via) const {
  const ReportFrame caller = caller_of(site);
  const std::string name = frame_name(caller);
  const std::string module = module_name(caller);
  const std::string short_name = shortened(name, name_);
  std::string out =
      numbers((site.sampled ? "~" : "") + grouped(site.calls),
              share_of(site.calls, report_.calls()), rate(site.calls, report_.seconds),
              saved_time(saved_ns(report_, site))) +
      left_column(one_line(site.clock), clock_) + " ";
  out +=
      module_ == 0 ? short_name : left_column(short_name, name_) + " " + shortened(module, module_);
  out += "\n";
  if (short_name != name) add_below(out, "= ", name);
  const std::string at = place_beside_name(caller);
  const bool module_below = module_ == 0 && !module.empty();
  if (!at.empty()) add_below(out, "at ", at + (module_below ? ", " + module : ""));
  if (at.empty() && module_below) add_below(out, "in ", module);
  for (std::size_t i = 0; with_via && i + 1 < exact_frames(site); ++i) {
    const ReportFrame& via = site.frames[i];
    add_below(out, "via ",
              frame_name(via) + (via.inlined && !via.file.empty() ? ", " + place(via) : ""));
  }
  return out;
}

std::string TextTable::line(std::uint64_t calls, std::int64_t saved,
                            const std::string& name) const {
  return numbers(grouped(calls), share_of(calls, report_.calls()), rate(calls, report_.seconds),
                 saved_time(saved)) +
         name + "\n";
}

std::string TextTable::more(std::size_t callers, std::uint64_t calls, std::int64_t saved) const {
  return line(calls, saved, std::string(clock_ + 1, ' ') + fmt::format("{} more callers", callers));
}

std::string text_callers(const Report& r, std::size_t width) {
  if (r.sites.empty()) return "";
  const TextTable table(r, width);
  std::string out = table.headings();
  std::uint64_t rest = 0;
  std::int64_t rest_saved = 0;
  for (std::size_t i = 0; i < r.sites.size(); ++i) {
    if (i < kTopSites) {
      out += table.caller(r.sites[i], true);
    } else {
      rest += r.sites[i].calls;
      rest_saved += saved_ns(r, r.sites[i]);
    }
  }
  return rest == 0 ? out : out + table.more(r.sites.size() - kTopSites, rest, rest_saved);
}

std::string text_head(const Report& r, std::size_t width) {
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
  if (width != 0) out = wrapped_lines(out, width);
  for (const auto& note : r.notes) {
    out += width == 0 ? fmt::format("note: {}\n", one_line(note))
                      : wrapped_behind("note: ", one_line(note), width);
  }
  return out;
}

std::string render_text(const Report& r) { return text_head(r) + text_callers(r, kTextWidth); }

}  // namespace clockshim
