#include "cli/top/watch.h"

#include <algorithm>
#include <ctime>

#include "base/nanos.h"
#include "report/frames.h"
#include "report/saved.h"

namespace clockshim::cli {
namespace {

constexpr std::int64_t kForgotten = 3600 * kNanosPerSecond;  // what was not seen for this long

std::int64_t clock_now(clockid_t id) {
  timespec now{};
  clock_gettime(id, &now);
  return from_timespec(now).raw();
}

// Words are read while they are written, and tables one after the other. So a sum may be less than
// the one before by a few calls.
double rate(std::uint64_t now, std::uint64_t before, double seconds) {
  return seconds <= 0 || now <= before ? 0 : static_cast<double>(now - before) / seconds;
}

}  // namespace

void Watch::add(const LiveFile& file, bool with_callers, std::int64_t now, Snapshot& out) {
  Report r = file.report();
  const auto found = before_.find(file.path());
  const bool known = found != before_.end();
  const Seen before = known ? std::move(found->second) : Seen{};
  const double seconds = known ? static_cast<double>(now - before.at) / 1e9 : 0;  // 0: no rates
  Seen& seen = before_[file.path()];
  seen = Seen{};
  seen.at = now;

  ProcessRow& row = out.processes.emplace_back();
  row.pid = r.pid;
  row.program = r.program;
  row.state = r.state;
  row.mode = r.mode;
  row.mode_reason = r.mode_reason;
  row.max_error_ns = r.max_ns;
  row.tolerance_ns = r.tolerance_ns;
  row.calls = seen.calls = r.calls();
  for (const ReportClock& clock : r.clocks) {
    seen.clocks[clock.name] += clock.calls;
    seen.resyncs += clock.resyncs;
  }
  row.resyncs = seen.resyncs;
  row.rate = rate(row.calls, before.calls, seconds);
  row.saved_ns = seen.saved_ns = saved_ns(r);
  // What a call costs is measured again and again, so the sum may fall.
  row.saved_share = rate(static_cast<std::uint64_t>(row.saved_ns),
                         static_cast<std::uint64_t>(before.saved_ns), seconds) /
                    1e9;
  row.resync_rate = rate(row.resyncs, before.resyncs, seconds);
  for (const auto& [name, calls] : seen.clocks) {
    const auto old = before.clocks.find(name);
    row.clocks.push_back(
        {name, calls, rate(calls, old == before.clocks.end() ? 0 : old->second, seconds)});
  }
  std::stable_sort(row.clocks.begin(), row.clocks.end(),
                   [](const ClockRow& a, const ClockRow& b) { return a.calls > b.calls; });
  if (!with_callers) return;

  // Find names only for what is shown.
  r.stacks.clear();
  for (ReportSite& site : r.sites) site.frames.resize(exact_frames(site));
  symbolizer_.name(r, file.owner());
  seen.callers = calls_by_caller(r);
  seen.has_callers = true;
  double rates = 0;
  for (const auto& [caller, calls] : seen.callers) {
    CallerRow& one = out.callers.emplace_back();
    one.caller = caller;
    one.calls = calls;
    if (before.has_callers) {
      const auto old = before.callers.find(caller);
      one.rate = rate(calls, old == before.callers.end() ? 0 : old->second, seconds);
    }
    rates += one.rate;
  }
  for (CallerRow& one : out.callers) {
    if (rates > 0) {
      one.share = one.rate / rates;
    } else if (row.calls > 0) {
      one.share = static_cast<double>(one.calls) / static_cast<double>(row.calls);
    }
  }
}

std::optional<LiveFile> Watch::file_of(long pid, const Folders& folders) {
  std::string problem;
  if (!path_.empty()) {
    auto file = LiveFile::open(path_, problem);
    if (file && file->pid() == pid && file->life() == Liveness::running) return file;
  }
  const auto paths = live_files_of(pid, folders);
  path_ = paths.empty() ? "" : paths.front();
  return path_.empty() ? std::nullopt : LiveFile::open(path_, problem);
}

bool Watch::is_wanted(long pid) const {
  return only_.empty() || std::find(only_.begin(), only_.end(), pid) != only_.end();
}

Snapshot Watch::take_snapshot(const Folders& folders, long pid) {
  Snapshot out;
  const std::int64_t now = clock_now(CLOCK_MONOTONIC);
  out.seconds = looked_ == 0 ? 0 : static_cast<double>(now - looked_) / 1e9;
  out.at = static_cast<double>(clock_now(CLOCK_REALTIME)) / 1e9;
  looked_ = now;
  if (pid != 0) {
    if (const auto file = file_of(pid, folders)) add(*file, true, now, out);
  } else {
    for (const std::string& path : live_files(folders)) {
      std::string problem;
      const auto file = LiveFile::open(path, problem);
      if (file && file->life() != Liveness::gone && is_wanted(file->pid()))
        add(*file, false, now, out);
    }
  }
  std::erase_if(before_, [now](const auto& entry) { return now - entry.second.at > kForgotten; });
  return out;
}

}  // namespace clockshim::cli
