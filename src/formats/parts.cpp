#include "formats/parts.h"

#include <algorithm>

#include "report/threads.h"

namespace clockshim {

bool draws_samples(const Report& report, const StackOptions& options) {
  return !options.exact && !options.threads && !report.stacks.empty();
}

std::vector<Part> drawn_parts(const Report& report, const StackOptions& options) {
  if (!options.threads)
    return {Part{"", "", report.calls(),
                 draws_samples(report, options) ? report.stacks : report.sites}};
  std::vector<Part> parts;
  for (const ReportThread& thread : report.threads)
    parts.push_back({thread_name(report, thread), thread_id(report, thread)});
  parts.push_back({"threads not told", "unknown"});
  const auto add = [&](std::size_t part, const ReportSite& site, std::uint64_t calls) {
    if (calls == 0) return;
    parts[part].calls += calls;
    parts[part].sites.push_back(site);
    parts[part].sites.back().calls = calls;
    parts[part].sites.back().threads.clear();
  };
  for (const ReportSite& site : report.sites) {
    std::uint64_t told = 0;
    for (const ReportShare& share : site.threads) {
      add(share.thread, site, share.calls);
      told += share.calls;
    }
    add(parts.size() - 1, site, site.calls - std::min(told, site.calls));
  }
  std::erase_if(parts, [](const Part& part) { return part.sites.empty(); });
  for (Part& part : parts) {
    std::stable_sort(part.sites.begin(), part.sites.end(),
                     [](const ReportSite& a, const ReportSite& b) { return a.calls > b.calls; });
  }
  return parts;
}

}  // namespace clockshim
