#include "formats/thread_slices.h"

#include <algorithm>

#include "report/stack_shares.h"
#include "report/threads.h"

namespace clockshim {

bool draws_samples(const Report& report, const StackOptions& options) {
  return !options.exact && !options.threads && !report.stacks.empty();
}

std::vector<ThreadSlice> drawn_slices(const Report& report, const StackOptions& options) {
  if (!options.threads)
    return {ThreadSlice{"", "", report.calls(),
                        draws_samples(report, options) ? split_by_stacks(report) : report.sites}};
  std::vector<ThreadSlice> slices;
  for (const ReportThread& thread : report.threads)
    slices.push_back({thread_name(report, thread), thread_id(report, thread)});
  slices.push_back({"threads not told", "unknown"});
  const auto add = [&](std::size_t slice, const ReportSite& site, std::uint64_t calls) {
    if (calls == 0) return;
    slices[slice].calls += calls;
    slices[slice].sites.push_back(site);
    slices[slice].sites.back().calls = calls;
    slices[slice].sites.back().threads.clear();
  };
  for (const ReportSite& site : report.sites) {
    std::uint64_t told = 0;
    for (const ReportShare& share : site.threads) {
      add(share.thread, site, share.calls);
      told += share.calls;
    }
    add(slices.size() - 1, site, site.calls - std::min(told, site.calls));
  }
  std::erase_if(slices, [](const ThreadSlice& slice) { return slice.sites.empty(); });
  for (ThreadSlice& slice : slices) {
    std::stable_sort(slice.sites.begin(), slice.sites.end(),
                     [](const ReportSite& a, const ReportSite& b) { return a.calls > b.calls; });
  }
  return slices;
}

}  // namespace clockshim
