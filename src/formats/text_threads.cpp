// The callers in the report for people, for each thread separately: its calls, and its busiest
// callers.
#include "formats/thread_slices.h"
#include "report/saved.h"
#include "report/text_table.h"

namespace clockshim {

std::string text_threads(const Report& report, std::size_t width) {
  constexpr std::size_t kTopSites = 5;  // for each thread
  const std::vector<ThreadSlice> slices = drawn_slices(report, {.threads = true});
  if (slices.empty()) return "";
  const TextTable table(report, width);
  std::string out = table.headings();
  for (const ThreadSlice& slice : slices) {
    if (&slice != &slices.front()) out += "\n";
    std::int64_t saved = 0;
    for (const ReportSite& site : slice.sites) saved += saved_ns(report, site);
    out += table.line(slice.calls, saved, slice.thread);
    std::uint64_t rest = 0;
    std::int64_t rest_saved = 0;
    for (std::size_t i = 0; i < slice.sites.size(); ++i) {
      if (i < kTopSites) {
        out += table.caller(slice.sites[i], false);
      } else {
        rest += slice.sites[i].calls;
        rest_saved += saved_ns(report, slice.sites[i]);
      }
    }
    if (rest != 0) out += table.more(slice.sites.size() - kTopSites, rest, rest_saved);
  }
  return out;
}

}  // namespace clockshim
