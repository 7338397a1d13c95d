#include "cli/report/rate_watch.h"

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "analysis/rates.h"
#include "cli/livefiles/find_processes.h"
#include "cli/livefiles/live_process.h"
#include "cli/livefiles/thread_names.h"
#include "report/frames.h"

namespace clockshim::cli {
namespace {

constexpr std::size_t kMostCallers = 20;

// Tables are read one after the other, and a site may change its key (dlclose), so a sum can be
// less than before for a moment. Its growth is reported when it has grown again.
std::vector<std::uint64_t> growth(const std::vector<std::int64_t>& changes) {
  std::vector<std::uint64_t> out;
  std::int64_t sum = 0;
  std::int64_t most = 0;
  for (const std::int64_t change : changes) {
    sum += change;
    out.push_back(static_cast<std::uint64_t>(std::max<std::int64_t>(0, sum - most)));
    most = std::max(most, sum);
  }
  return out;
}

void sort_and_cut(std::vector<ReportRates::Series>& all, std::size_t most) {
  std::erase_if(all, [](const ReportRates::Series& series) { return total(series) == 0; });
  sort_by_calls(all);
  all.resize(std::min(all.size(), most));
}

}  // namespace

std::optional<RateWatch> RateWatch::of(long pid, const Folders& folders, std::string& problem) {
  RateWatch watch(pid, folders);
  watch.others_ = live_files_of(pid, folders);
  if (watch.others_.empty()) {
    problem = why_no_live_file(pid, folders);
    return std::nullopt;
  }
  watch.process_ = Descriptor(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  watch.start_ticks_ = start_ticks_of(pid);
  if (!watch.open(watch.others_.front(), problem)) return std::nullopt;
  watch.own_ticks_ = watch.programs_.back().content->header().start_ticks;
  // It is not running, but may be about to become its next program.
  if (watch.programs_.back().report.state != "running" &&
      (watch.own_ticks_ != watch.start_ticks_ || watch.is_gone())) {
    problem = "it does not run any more";
    return std::nullopt;
  }
  watch.pid_namespace_ = watch.programs_.back().content->header().pid_namespace;
  return watch;
}

bool RateWatch::is_gone() const {
  if (process_.get() < 0) return start_ticks_ == 0 || start_ticks_of(pid_) != start_ticks_;
  pollfd ended{process_.get(), POLLIN, 0};
  return poll(&ended, 1, 0) > 0;
}

bool RateWatch::open(const std::string& path, std::string& problem) {
  Program program{path};
  program.source = LiveSource::open(path, problem);
  if (!program.source) return false;
  program.content = LiveFile::read(*program.source, path, problem);
  if (!program.content) return false;
  program.report = program.content->report();
  programs_.push_back(std::move(program));
  return true;
}

void RateWatch::read(Program& program, bool begin) {
  std::string problem;
  if (auto content = LiveFile::read(*program.source, program.path, problem)) {
    program.content = std::move(content);
    program.report = program.content->report();
  }
  const std::size_t number = times_.size();
  const auto note = [&](Growth& growth, std::uint64_t calls) {
    if (begin) {
      growth.begin(calls);
    } else {
      growth.look(number - 1, calls);
    }
  };
  for (const ReportClock& clock : program.report.clocks)
    note(program.clocks[clock.name], clock.calls);
  for (const ReportSite& told : program.report.sites) {
    Site& site = program.sites[told.key];
    if (site.as_told.frames.empty()) site.as_told = told;
    site.looked = number;
    note(site.calls, told.calls);
  }
  // A site had this key before. Its calls belong to another key by now.
  for (auto& [key, site] : program.sites) {
    if (site.looked != number) note(site.calls, 0);
  }
}

// Finds programs that the process became by exec since the last look. Everything that they counted
// is new.
void RateWatch::find_next_programs() {
  std::vector<std::string> paths = live_files_of(pid_, folders_);
  std::erase_if(paths, [&](const std::string& path) {
    return std::find(others_.begin(), others_.end(), path) != others_.end();
  });
  std::string problem;
  const std::size_t known = programs_.size();
  for (const std::string& path : paths) {
    if (!open(path, problem)) continue;
    const live::Header& header = programs_.back().content->header();
    if (header.pid_namespace != pid_namespace_ || header.start_ticks != own_ticks_)
      programs_.pop_back();
    others_.push_back(path);
  }
  std::sort(
      programs_.begin() + static_cast<std::ptrdiff_t>(known), programs_.end(),
      [](const Program& a, const Program& b) { return a.report.started_at < b.report.started_at; });
  for (std::size_t i = known; i < programs_.size(); ++i) read(programs_[i], false);
}

void RateWatch::look(Nanos now, Nanos realtime) {
  const bool begin = started_ == Nanos{0};
  if (begin) {
    started_ = now;
    started_at_ = realtime;
  } else {
    times_.push_back(static_cast<double>((now - started_).raw()) / 1e9);
  }
  const bool gone = is_gone();  // read before the counts, which are then final
  read(programs_.back(), begin);
  if (!begin && programs_.back().report.state != "running") {
    read(programs_.back(), false);  // it had ended before this was read, so it is complete
    find_next_programs();
  }
  over_ = gone;
}

ReportRates RateWatch::rates(Symbolizer& symbolizer, double interval) const {
  ReportRates out;
  out.interval = interval;
  out.started_at = static_cast<double>(started_at_.raw()) / 1e9;
  out.times = times_;
  const std::vector<std::int64_t> nothing(times_.size());
  std::map<std::string, std::vector<std::int64_t>> clocks;
  std::map<Caller, std::vector<std::int64_t>> callers;
  for (const Program& program : programs_) {
    for (const auto& [name, calls] : program.clocks)
      calls.add_to(clocks.try_emplace(name, nothing).first->second);
    Report named = program.report;
    named.stacks.clear();
    named.sites.clear();
    for (const auto& [key, site] : program.sites) {
      named.sites.push_back(site.as_told);
      named.sites.back().frames.resize(exact_frames(site.as_told));
    }
    symbolizer.name(named, program.content->owner());
    auto site = program.sites.begin();
    for (const ReportSite& told : named.sites)
      (site++)->second.calls.add_to(callers.try_emplace(caller_key(told), nothing).first->second);
  }
  for (const auto& [name, changes] : clocks)
    out.clocks.push_back({name, "", "", "", growth(changes)});
  for (const auto& [caller, changes] : callers)
    out.callers.push_back(
        {caller.clock, caller.name, caller.module, caller.function, growth(changes)});
  sort_and_cut(out.clocks, out.clocks.size());
  sort_and_cut(out.callers, kMostCallers);
  return out;
}

Report RateWatch::report(Symbolizer& symbolizer, double interval) const {
  const Program& program = programs_.back();
  Report out = program.report;
  name_threads(*program.content, out);
  symbolizer.name(out, program.content->owner());
  if (!times_.empty()) out.rates = rates(symbolizer, interval);
  return out;
}

}  // namespace clockshim::cli
