#include "cli/run/run_summary.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "analysis/merge.h"
#include "report/frames.h"
#include "report/text.h"
#include "report/text_table.h"

namespace clockshim::cli {
namespace {

constexpr std::size_t kMergedAtOnce = 100;  // bounds the memory: reports are merged by so many
constexpr std::size_t kProgramsShown = 20;
constexpr std::size_t kProgramsWithCallers = 5;

bool many_calls(std::uint64_t calls) { return calls >= kTooFewForReport; }

std::size_t processes_of(const Report& report) {
  return std::max<std::size_t>(report.pids.size(), 1);
}

std::string counted(std::size_t number, const std::string& what) {
  const char* const plural = what.ends_with('s') ? "es" : "s";
  return grouped(number) + " " + what + (number == 1 ? "" : plural);
}

// A process that was several programs by exec is in several reports.
void keep_each_once(std::vector<long>& pids) {
  std::sort(pids.begin(), pids.end());
  pids.erase(std::unique(pids.begin(), pids.end()), pids.end());
}

std::string row(std::size_t processes, std::uint64_t calls, double share, std::uint64_t served,
                const std::string& name) {
  return fmt::format("{:>13} {:>6.1f}% {:>13} {:>10}  {}\n", grouped(calls), share, grouped(served),
                     grouped(processes), name);
}

std::uint64_t served_of(const Report& report) {
  std::uint64_t served = 0;
  for (const ReportClock& clock : report.clocks) served += clock.served;
  return served;
}

// In `width` columns; 0: names are whole.
std::string text_programs(const std::vector<Report>& programs, std::uint64_t calls,
                          std::size_t most, std::size_t width) {
  constexpr std::size_t kNumbers = 49;
  std::string out = fmt::format("\n{:>13} {:>7} {:>13} {:>10}  program\n", "calls", "share",
                                "served", "processes");
  std::uint64_t further_calls = 0;
  std::uint64_t further_served = 0;
  std::vector<long> further;
  for (std::size_t i = 0; i < programs.size(); ++i) {
    const Report& program = programs[i];
    if (i < most) {
      out += row(processes_of(program), program.calls(), percent(program.calls(), calls),
                 served_of(program),
                 width == 0 ? one_line(program.program)
                            : shortened(one_line(program.program), width - kNumbers));
      continue;
    }
    further_calls += program.calls();
    further_served += served_of(program);
    further.insert(further.end(), program.pids.begin(), program.pids.end());
  }
  if (programs.size() <= most) return out;
  keep_each_once(further);
  return out + row(further.size(), further_calls, percent(further_calls, calls), further_served,
                   fmt::format("{} more programs", programs.size() - most));
}

}  // namespace

void RunSummary::add(Report report, From from) {
  // A process may be killed when it has written its report and not removed its live file.
  if (!added_.emplace(report.pid, std::llround(report.started_at * 1e6)).second) return;
  if (from == From::live_file) ++lost_;
  // What read_live.cpp says of a forked child is no news of a tree.
  std::erase_if(report.notes,
                [](const std::string& note) { return note.starts_with("forked from process "); });
  Program& program = programs_[report.program];
  program.pids.insert(report.pid);
  program.calls += report.calls();
  program.reports.push_back(std::move(report));
  // Names are found for what is shown only, and before reports are merged, because callers in
  // generated code have no other identity.
  if (all_ || many_calls(program.calls)) name(program);
  if (program.reports.size() < kMergedAtOnce) return;
  program.reports = {merge(program.reports)};
  program.named = std::min<std::size_t>(program.named, 1);
}

void RunSummary::name(Program& program) {
  for (; program.named < program.reports.size(); ++program.named)
    symbolizer_.name(program.reports[program.named], geteuid());
}

std::vector<Report> RunSummary::by_program() {
  std::vector<Report> out;
  for (auto& [name, program] : programs_) {
    out.push_back(merge(program.reports));
    out.back().program = name;
    out.back().pids.assign(program.pids.begin(), program.pids.end());
  }
  std::stable_sort(out.begin(), out.end(),
                   [](const Report& a, const Report& b) { return a.calls() > b.calls(); });
  return out;
}

Report RunSummary::sum_of(const std::vector<Report>& programs) {
  Report sum = merge(programs);
  keep_each_once(sum.pids);
  return sum;
}

Report RunSummary::merged() && {
  const std::vector<Report> programs = by_program();
  return added_.size() == 1 ? programs.front() : sum_of(programs);
}

std::string RunSummary::text(std::size_t width) && {
  if (added_.size() == 1) {
    if (lost_ == 1) name(programs_.begin()->second);
    const Report& report = programs_.begin()->second.reports.front();
    return text_head(report, width) + text_callers(report, width == 0 ? kTextWidth : width);
  }
  const std::vector<Report> programs = by_program();
  Report sum = sum_of(programs);
  sum.state = "ended";
  if (lost_ != 0)
    sum.notes.push_back(
        fmt::format("{} ended without a report (exec, _exit, a signal): live files had the counts",
                    counted(lost_, "program")));
  std::string out =
      text_head(sum, width) +
      text_programs(programs, sum.calls(), all_ ? programs.size() : kProgramsShown, width);
  std::size_t shown = 0;
  std::size_t more = 0;
  for (const Report& program : programs) {
    if (program.sites.empty() || (!all_ && !many_calls(program.calls()))) continue;
    if (!all_ && shown == kProgramsWithCallers) {
      ++more;
      continue;
    }
    ++shown;
    out += "\n" + one_line(program.program) + ", " + counted(processes_of(program), "process") +
           ":" + text_callers(program, width == 0 ? kTextWidth : width);
  }
  if (more != 0)
    out += fmt::format("\n{} with many calls: --report FILE has their callers\n",
                       counted(more, "more program"));
  return out;
}

}  // namespace clockshim::cli
