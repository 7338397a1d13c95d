#include "analysis/merge.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <tuple>

#include "analysis/rates.h"
#include "report/frames.h"
#include "report/stack_shares.h"
#include "report/threads.h"

namespace clockshim {
namespace {

using Key = std::vector<std::string>;

Key key_of(const ReportSite& site, std::size_t frames, long pid) {
  Key key{site.clock, site.function, site.sampled ? "sampled" : ""};
  for (std::size_t i = 0; i < std::min(frames, site.frames.size()); ++i) {
    const ReportFrame& frame = site.frames[i];
    if (frame.module.empty()) {
      key.push_back(frame.symbol.empty() ? std::to_string(pid) + "+" + std::to_string(frame.offset)
                                         : frame.symbol);
      if (interpreted(frame)) key.push_back(frame.file + ":" + std::to_string(frame.line));
    } else {
      key.push_back(frame.build_id.empty() ? frame.module : frame.build_id);
      key.push_back(std::to_string(frame.offset));
    }
    if (frame.inlined) key.push_back(frame.symbol);
  }
  return key;
}

class Sites {
 public:
  // `exact` means that frames behind the exact ones do not distinguish callers; those of the
  // busiest site are kept.
  explicit Sites(bool exact) : exact_(exact) {}

  // `threads` is the number of threads in the earlier reports.
  void add(const std::vector<ReportSite>& sites, long pid, std::size_t threads) {
    for (ReportSite site : sites) {
      for (ReportShare& share : site.threads) share.thread += threads;
      const std::size_t frames = exact_ ? site.exact_frames : site.frames.size();
      const auto [found, added] =
          sums_.try_emplace(key_of(site, frames, pid), Sum{site, site.calls});
      if (added) continue;
      Sum& sum = found->second;
      const std::uint64_t calls = sum.site.calls + site.calls;
      std::vector<ReportShare> shares = std::move(sum.site.threads);
      shares.insert(shares.end(), site.threads.begin(), site.threads.end());
      if (site.calls > sum.busiest) {
        sum.busiest = site.calls;
        sum.site = std::move(site);
      }
      sum.site.calls = calls;
      sum.site.threads = std::move(shares);
    }
  }

  std::vector<ReportSite> all() && {
    std::vector<ReportSite> out;
    for (auto& [key, sum] : sums_) out.push_back(std::move(sum.site));
    std::stable_sort(out.begin(), out.end(),
                     [](const ReportSite& a, const ReportSite& b) { return a.calls > b.calls; });
    return out;
  }

 private:
  struct Sum {
    ReportSite site;
    std::uint64_t busiest;
  };
  bool exact_;
  std::map<Key, Sum> sums_;
};

void add_word(std::string& sum, const std::string& word) {
  if (sum != word) sum = "mixed";
}

// Sets the costs of a call to their means over the served calls of those reports that know them.
void take_mean_costs(const std::vector<Report>& reports, ReportClock& to) {
  double real = 0;
  double served = 0;
  double calls = 0;
  for (const Report& report : reports) {
    for (const ReportClock& from : report.clocks) {
      if (from.name != to.name || from.real_call_ns <= 0) continue;
      const double weight = static_cast<double>(from.served);
      real += weight * from.real_call_ns;
      served += weight * from.served_call_ns;
      calls += weight;
    }
  }
  to.real_call_ns = calls > 0 ? real / calls : 0;
  to.served_call_ns = calls > 0 ? served / calls : 0;
}

void add_clocks(const Report& from, Report& to) {
  for (const ReportClock& clock : from.clocks) {
    const auto same = std::find_if(to.clocks.begin(), to.clocks.end(),
                                   [&](const ReportClock& c) { return c.name == clock.name; });
    if (same == to.clocks.end()) {
      to.clocks.push_back(clock);
      continue;
    }
    same->calls += clock.calls;
    same->served += clock.served;
    same->real += clock.real;
    same->resyncs += clock.resyncs;
    same->saved_ns += std::min(clock.saved_ns, INT64_MAX - same->saved_ns);
    same->unreachable |= clock.unreachable;
  }
}

// The upper edge of the bucket that a percentile falls into, but at most the maximum, as
// clockshim::Accuracy does it.
std::int64_t percentile(const Report& r, unsigned percent) {
  const std::uint64_t rank = r.samples - r.samples * (100 - percent) / 100;
  std::uint64_t seen = 0;
  for (const Report::Bucket& bucket : r.errors) {
    seen += bucket.samples;
    if (seen >= rank) return std::min(bucket.up_to_ns, r.max_ns);
  }
  return r.max_ns;
}

void add_errors(const std::vector<Report>& reports, Report& to) {
  std::map<std::int64_t, std::uint64_t> buckets;
  bool all_known = true;
  to.samples = to.over_tolerance = 0;
  to.p50_ns = to.p99_ns = to.max_ns = 0;
  to.errors.clear();
  for (const Report& r : reports) {
    to.samples += r.samples;
    to.over_tolerance += r.over_tolerance;
    to.p50_ns = std::max(to.p50_ns, r.p50_ns);
    to.p99_ns = std::max(to.p99_ns, r.p99_ns);
    to.max_ns = std::max(to.max_ns, r.max_ns);
    all_known = all_known && (r.samples == 0 || !r.errors.empty());
    for (const Report::Bucket& bucket : r.errors) buckets[bucket.up_to_ns] += bucket.samples;
  }
  if (!all_known) {
    to.notes.emplace_back(
        "percentiles of the error are the largest of the merged reports: not all of them have a "
        "histogram");
    return;
  }
  for (const auto& [up_to_ns, samples] : buckets) to.errors.push_back({up_to_ns, samples});
  to.p50_ns = percentile(to, 50);
  to.p99_ns = percentile(to, 99);
}

void add_times(const std::vector<Report>& reports, Report& to) {
  double first = reports.front().started_at;
  double last = 0;
  for (const Report& r : reports) {
    first = std::min(first, r.started_at);
    last = std::max(last, r.started_at + r.seconds);
    to.seconds = std::max(to.seconds, r.seconds);
  }
  to.started_at = first;
  if (first > 0) to.seconds = last - first;  // 0: some do not say when they started
}

std::string programs(const std::vector<Report>& reports) {
  constexpr std::size_t kProgramsNamed = 3;
  std::set<std::string> names;
  for (const Report& r : reports) names.insert(r.program);
  std::string out;
  std::size_t named = 0;
  for (const std::string& name : names) {
    if (named++ < kProgramsNamed) out += (out.empty() ? "" : ", ") + name;
  }
  return names.size() <= kProgramsNamed
             ? out
             : out + " and " + std::to_string(names.size() - kProgramsNamed) + " more";
}

}  // namespace

Report merge(const std::vector<Report>& reports) {
  if (reports.empty()) return {};
  if (reports.size() == 1) return reports.front();
  Report out = reports.front();
  Sites sites(true);
  Sites stacks(false);
  out.pids.clear();
  out.clocks.clear();
  out.saved_how.clear();
  out.notes.clear();
  out.threads.clear();
  out.disturbances = out.dropped = 0;
  for (const Report& r : reports) {
    if (r.pids.empty()) {
      out.pids.push_back(r.pid);
    } else {
      out.pids.insert(out.pids.end(), r.pids.begin(), r.pids.end());
    }
    for (const auto word : {&Report::version, &Report::state, &Report::clocksource, &Report::mode,
                            &Report::mode_reason, &Report::order, &Report::profile}) {
      add_word(out.*word, r.*word);
    }
    out.forked_from = out.forked_from == r.forked_from ? r.forked_from : 0;
    out.tolerance_ns = std::max(out.tolerance_ns, r.tolerance_ns);
    out.disturbances += r.disturbances;
    out.dropped += r.dropped;
    add_clocks(r, out);
    for (const std::string& note : r.notes) {
      if (std::find(out.notes.begin(), out.notes.end(), note) == out.notes.end())
        out.notes.push_back(note);
    }
    sites.add(r.sites, r.pid, out.threads.size());
    stacks.add(r.stacks, r.pid, out.threads.size());
    out.threads.insert(out.threads.end(), r.threads.begin(), r.threads.end());
  }
  for (ReportClock& clock : out.clocks) take_mean_costs(reports, clock);
  out.program = programs(reports);
  out.sites = std::move(sites).all();
  out.stacks = std::move(stacks).all();
  fit_stacks(out);
  settle_threads(out);
  const bool watched = std::any_of(reports.begin(), reports.end(),
                                   [](const Report& r) { return !r.rates.times.empty(); });
  if (!merge_rates(reports, out.rates) && watched)
    out.notes.emplace_back(
        "rates over time are left out: not all of the merged reports were looked at in the same "
        "moments");
  add_times(reports, out);
  add_errors(reports, out);
  return out;
}

}  // namespace clockshim
