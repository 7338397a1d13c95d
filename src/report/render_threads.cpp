// The report for people with each thread apart: its calls, and its busiest callers.
#include <fmt/format.h>

#include "report/formats.h"
#include "report/parts.h"
#include "report/text_table.h"

namespace clockshim {

std::string render_threads(const Report& report) {
  constexpr std::size_t kTopSites = 5;  // of a thread
  std::string out = text_head(report);
  const std::vector<Part> parts = drawn_parts(report, {.threads = true});
  if (!parts.empty()) out += text_columns();
  for (const Part& part : parts) {
    if (&part != &parts.front()) out += "\n";
    out += text_line(report, part.calls, part.thread);
    std::uint64_t rest = 0;
    for (std::size_t i = 0; i < part.sites.size(); ++i) {
      if (i < kTopSites) {
        out += text_caller(report, part.sites[i]);
      } else {
        rest += part.sites[i].calls;
      }
    }
    if (rest != 0) out += text_line(report, rest, fmt::format("{:<16} {} more callers", "", part.sites.size() - kTopSites));
  }
  return out + text_advice(report);
}

}  // namespace clockshim
