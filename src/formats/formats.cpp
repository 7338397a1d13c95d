#include "formats/formats.h"

#include <algorithm>

#include "analysis/rates.h"
#include "report/text_table.h"

namespace clockshim {
namespace {

std::string table(const Reports& reports, const StackOptions& options) {
  const std::size_t width = options.width == 0 ? kTextWidth : options.width;
  std::string out;
  for (const Report& report : reports) {
    out += (out.empty() ? "" : "\n") + text_head(report, options.width) +
           rates_as_text(report.rates, options.width);
    out += options.threads ? text_threads(report, width) : text_callers(report, width);
    out += text_advice(report, width);
  }
  return out;
}

std::string json(const Reports& reports, const StackOptions& /*options*/) {
  std::string out;
  for (const Report& report : reports) out += render_json(report);
  return out;
}

}  // namespace

const std::vector<Format>& formats() {
  static const std::vector<Format> kFormats = {
      {"table", "the busiest callers, for people", table},
      {"tree", "the clocks, their callers, and the callers of these", render_tree},
      {"json", "everything, for programs", json},
      {"folded", "one stack a line, for flamegraph.pl and similar tools", render_folded},
      {"speedscope", "for speedscope.app", render_speedscope},
      {"pprof", "for go tool pprof (gzip)", render_pprof, false, true},
      {"callgrind", "for callgrind_annotate and KCachegrind", render_callgrind, true},
      {"flamegraph", "a picture (SVG) to explore in a browser", render_flamegraph, true},
      {"html", "one page with tables and a flame graph", render_html, true},
      {"prometheus", "metrics for a node exporter's textfile collector", render_prometheus},
      {"openmetrics", "the same by the newer standard", render_openmetrics},
  };
  return kFormats;
}

const Format* find_format(std::string_view name) {
  const auto found = std::find_if(formats().begin(), formats().end(),
                                  [&](const Format& format) { return format.name == name; });
  return found == formats().end() ? nullptr : &*found;
}

}  // namespace clockshim
