// The report for people: at a glance, in 100 columns, the 20 busiest callers, the rest summed.
#include <fmt/format.h>

#include <algorithm>

#include "base/duration.h"
#include "report/report.h"

namespace clockshim {
namespace {

constexpr std::size_t kWidth = 100;
constexpr std::size_t kTopSites = 20;

std::string grouped(std::uint64_t n) {
  std::string digits = std::to_string(n);
  for (auto i = static_cast<std::ptrdiff_t>(digits.size()) - 3; i > 0; i -= 3) digits.insert(static_cast<std::size_t>(i), ",");
  return digits;
}

double percent(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0.0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

std::string rate(std::uint64_t calls, double seconds) {
  return seconds <= 0 ? "-" : grouped(static_cast<std::uint64_t>(static_cast<double>(calls) / seconds + 0.5));
}

std::string base_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

std::string frame_name(const ReportFrame& frame) {
  if (!frame.symbol.empty()) return fmt::format("{}+{:#x}", frame.symbol, frame.symbol_offset);
  return fmt::format("{}+{:#x}", frame.module.empty() ? "unknown" : base_name(frame.module), frame.offset);
}

// The middle of a long C++ name matters least.
std::string fitted(const std::string& text, std::size_t width) {
  if (text.size() <= width) return text;
  const std::size_t tail = width / 3;
  return text.substr(0, width - tail - 2) + ".." + text.substr(text.size() - tail);
}

void add_sites(const Report& r, std::string& out) {
  out += fmt::format("\n{:>13} {:>7} {:>12}  {:<16} {:<32} {}\n", "calls", "share", "calls/s", "clock", "caller", "module");
  std::uint64_t rest = 0;
  for (std::size_t i = 0; i < r.sites.size(); ++i) {
    const ReportSite& site = r.sites[i];
    if (i >= kTopSites) {
      rest += site.calls;
      continue;
    }
    // The frame that the calls are counted under is the last of the exact ones; those before it are wrappers.
    const std::size_t counted = site.exact_frames == 0 ? 0 : site.exact_frames - 1;
    const ReportFrame frame = site.frames.empty() ? ReportFrame{} : site.frames[counted];
    const std::string name = frame_name(frame);
    out += fmt::format("{:>13} {:>6.1f}% {:>12}  {:<16} {:<32} {}\n", grouped(site.calls), percent(site.calls, r.calls()),
                       rate(site.calls, r.seconds), site.clock, fitted(name, 32), fitted(base_name(frame.module), 14));
    if (name.size() > 32) out += fmt::format("{:>57}{}\n", "= ", fitted(name, kWidth - 57));
    for (std::size_t i_via = 0; i_via < counted; ++i_via) {
      out += fmt::format("{:>57}{}\n", "via ", fitted(frame_name(site.frames[i_via]), kWidth - 57));
    }
  }
  if (rest != 0) {
    out += fmt::format("{:>13} {:>6.1f}% {:>12}  {:<16} {} more callers\n", grouped(rest), percent(rest, r.calls()), rate(rest, r.seconds),
                       "", r.sites.size() - kTopSites);
  }
}

}  // namespace

std::string render_text(const Report& r) {
  std::uint64_t served = 0;
  std::uint64_t real = 0;
  std::uint64_t resyncs = 0;
  for (const auto& clock : r.clocks) {
    served += clock.served;
    real += clock.real;
    resyncs += clock.resyncs;
  }
  std::string out = fmt::format("clockshim {}: {}[{}], {:.1f} s\n", r.version, r.program, r.pid, r.seconds);
  if (r.profile == "off") {
    out += fmt::format("calls not counted (CLOCKSHIM_PROFILE=off)  resyncs {}\n", grouped(resyncs));
  } else {
    out += fmt::format("calls {}  served {} ({:.2f} %)  real {}  resyncs {}  {} calls/s\n", grouped(r.calls()), grouped(served),
                       percent(served, r.calls()), grouped(real), grouped(resyncs), rate(r.calls(), r.seconds));
  }
  out += fmt::format("mode {} ({}), {}, tolerance {}\n", r.mode, r.mode_reason, r.order, format_duration(Nanos{r.tolerance_ns}));
  if (r.samples != 0) {
    out += fmt::format("error at resync p50 {}  p99 {}  max {}  over tolerance {} of {}\n", format_duration(Nanos{r.p50_ns}),
                       format_duration(Nanos{r.p99_ns}), format_duration(Nanos{r.max_ns}), grouped(r.over_tolerance), grouped(r.samples));
  }
  out += fmt::format("disturbances {}  dropped {}\n", grouped(r.disturbances), grouped(r.dropped));
  for (const auto& note : r.notes) out += fmt::format("note: {}\n", note);
  if (!r.sites.empty()) add_sites(r, out);
  return out;
}

}  // namespace clockshim
