// The callers in the report for people, for each thread separately: its calls, and its busiest
// callers.
#include <fmt/format.h>

#include "formats/thread_slices.h"
#include "report/text_table.h"

namespace clockshim {

std::string text_threads(const Report& report) {
  constexpr std::size_t kTopSites = 5;  // for each thread
  const std::vector<ThreadSlice> slices = drawn_slices(report, {.threads = true});
  if (slices.empty()) return "";
  std::string out = text_columns();
  for (const ThreadSlice& slice : slices) {
    if (&slice != &slices.front()) out += "\n";
    out += text_line(report, slice.calls, slice.thread);
    std::uint64_t rest = 0;
    for (std::size_t i = 0; i < slice.sites.size(); ++i) {
      if (i < kTopSites) {
        out += text_caller(report, slice.sites[i], false);
      } else {
        rest += slice.sites[i].calls;
      }
    }
    if (rest != 0)
      out += text_line(report, rest,
                       fmt::format("{:<16} {} more callers", "", slice.sites.size() - kTopSites));
  }
  return out;
}

}  // namespace clockshim
