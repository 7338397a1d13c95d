#include "report/threads.h"

#include <algorithm>
#include <numeric>
#include <tuple>

#include "report/text.h"

namespace clockshim {

void settle_threads(Report& report) {
  std::vector<ReportThread>& threads = report.threads;
  for (ReportThread& thread : threads) thread.calls = 0;
  for (const ReportSite& site : report.sites) {
    for (const ReportShare& share : site.threads) threads[share.thread].calls += share.calls;
  }
  std::vector<std::size_t> order(threads.size());
  std::iota(order.begin(), order.end(), 0U);
  const auto rank = [&](std::size_t i) {
    return std::tuple(threads[i].shared, UINT64_MAX - threads[i].calls, threads[i].tid);
  };
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return rank(a) < rank(b); });
  std::erase_if(order, [&](std::size_t i) { return threads[i].calls == 0; });
  std::vector<ReportThread> sorted;
  std::vector<std::size_t> place(threads.size());
  for (const std::size_t i : order) {
    place[i] = sorted.size();
    sorted.push_back(std::move(threads[i]));
  }
  threads = std::move(sorted);
  for (ReportSite& site : report.sites) {
    std::vector<ReportShare> shares;
    std::sort(site.threads.begin(), site.threads.end(),
              [](const ReportShare& a, const ReportShare& b) { return a.thread < b.thread; });
    for (const ReportShare& share : site.threads) {
      if (share.calls == 0) continue;
      if (shares.empty() || shares.back().thread != share.thread)
        shares.push_back({share.thread, 0});
      shares.back().calls += share.calls;
    }
    for (ReportShare& share : shares) share.thread = place[share.thread];
    site.threads = std::move(shares);
  }
}

std::string thread_id(const Report& report, const ReportThread& thread) {
  std::string out = thread.shared     ? "shared table"
                    : thread.tid == 0 ? "unknown"
                                      : std::to_string(thread.tid);
  if (!thread.shared && !thread.name.empty()) out = one_line(thread.name) + "/" + out;
  return report.pids.size() > 1 ? out + " of " + std::to_string(thread.pid) : out;
}

std::string thread_name(const Report& report, const ReportThread& thread) {
  if (thread.shared) return thread_id(report, thread);
  return "thread " + thread_id(report, thread) +
         (thread.threads > 1 ? " and " + grouped(thread.threads - 1) + " before it" : "");
}

}  // namespace clockshim
