// The callers in the report for people, with each thread apart: its calls, and its busiest callers.
#include <fmt/format.h>

#include "formats/parts.h"
#include "report/text_table.h"

namespace clockshim {

std::string text_threads(const Report& report) {
  constexpr std::size_t kTopSites = 5;  // of a thread
  const std::vector<Part> parts = drawn_parts(report, {.threads = true});
  if (parts.empty()) return "";
  std::string out = text_columns();
  for (const Part& part : parts) {
    if (&part != &parts.front()) out += "\n";
    out += text_line(report, part.calls, part.thread);
    std::uint64_t rest = 0;
    for (std::size_t i = 0; i < part.sites.size(); ++i) {
      if (i < kTopSites) {
        out += text_caller(report, part.sites[i], false);
      } else {
        rest += part.sites[i].calls;
      }
    }
    if (rest != 0)
      out += text_line(report, rest,
                       fmt::format("{:<16} {} more callers", "", part.sites.size() - kTopSites));
  }
  return out;
}

}  // namespace clockshim
