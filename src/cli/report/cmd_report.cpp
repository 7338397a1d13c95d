#include "cli/report/cmd_report.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>

#include "analysis/advice.h"
#include "analysis/merge.h"
#include "base/duration.h"
#include "cli/console/output_file.h"
#include "cli/livefiles/live_dir.h"
#include "cli/livefiles/load_report.h"
#include "cli/report/watch_rates.h"
#include "formats/formats.h"
#include "os/log.h"
#include "os/write.h"

namespace clockshim::cli {
namespace {

constexpr int kFine = 0;
constexpr int kFailed = 2;

int refuse(const std::string& line) {
  say(LogLevel::error, LogLevel::error, one_line(line));
  return kFailed;
}

// A process id is a number and nothing else. A file with such a name can be given as ./NAME.
std::optional<long> process_id(const std::string& target) {
  long pid = 0;
  const char* const end = target.data() + target.size();
  const auto [behind, error] = std::from_chars(target.data(), end, pid);
  if (error != std::errc{} || behind != end || pid <= 0) return std::nullopt;
  return pid;
}

struct WatchTimes {
  Nanos length;
  Nanos interval;
};

// How long to watch and how often to look; without a length, not at all. False: the options are not
// possible.
bool watch_times(const ReportOptions& options, WatchTimes& out, std::string& problem) {
  constexpr Nanos kShortest = milliseconds(10);
  constexpr std::int64_t kMostLooks = 10'000;
  if (options.watch.empty()) {
    if (!options.interval.empty())
      problem =
          "--interval \"" + options.interval + "\": must be with --watch, which looks so often";
    return problem.empty();
  }
  const auto length = parse_duration(options.watch);
  if (!length || *length < kShortest) {
    problem = "--watch \"" + options.watch + "\": must be a duration from 10ms to 3600s";
    return false;
  }
  out.length = *length;
  out.interval = std::clamp(Nanos{length->raw() / 10}, kShortest, milliseconds(1000));
  if (options.interval.empty()) return true;
  const Nanos least = std::max(kShortest, Nanos{(length->raw() + kMostLooks - 1) / kMostLooks});
  const auto interval = parse_duration(options.interval);
  if (!interval || *interval < least || *interval > *length) {
    problem = "--interval \"" + options.interval + "\": must be a duration from " +
              format_duration(least) + " to that of --watch, " + format_duration(*length);
    return false;
  }
  out.interval = *interval;
  return true;
}

// Watches processes, all at the same moments, and then loads their reports.
bool load_watched(const ReportOptions& options, const WatchTimes& times, Reports& out,
                  std::string& problem) {
  if (options.children) {
    problem =
        "--children: can't be watched, as they come and go: name the processes that --watch is to "
        "look at";
    return false;
  }
  std::vector<RateWatch> processes;
  for (const std::string& target : options.targets) {
    const auto pid = process_id(target);
    if (!pid) {
      problem = "--watch: must have a process that runs, and \"" + target + "\" is no process id";
      return false;
    }
    auto process = RateWatch::of(*pid, live_folders_of(*pid), problem);
    if (!process) {
      problem.insert(0, "report " + target + ": must be a process that is served now: ");
      return false;
    }
    processes.push_back(std::move(*process));
  }
  const std::string who = processes.size() == 1 ? processes.front().program()
                                                : std::to_string(processes.size()) + " processes";
  watch_rates(
      processes, times.length, times.interval,
      "watching " + one_line(who) + " for " + format_duration(times.length) + "; Ctrl-C ends it");
  Symbolizer symbolizer;
  for (const RateWatch& process : processes)
    out.push_back(process.report(symbolizer, static_cast<double>(times.interval.raw()) / 1e9));
  return true;
}

bool load_all(const ReportOptions& options, Reports& out, std::string& problem) {
  Symbolizer symbolizer;
  for (const std::string& target : options.targets) {
    if (const auto pid = process_id(target)) {
      if (!load_process(*pid, options.children, symbolizer, out, problem)) return false;
      continue;
    }
    Report report;
    if (!load_file(target, symbolizer, report, problem)) return false;
    out.push_back(std::move(report));
  }
  return true;
}

std::string format_names() {
  std::string out;
  for (const Format& format : formats())
    out += (out.empty() ? "" : ", ") + std::string(format.name);
  return out;
}

}  // namespace

int report(const ReportOptions& options) {
  const Format* const format = find_format(options.format);
  if (format == nullptr)
    return refuse("--format \"" + options.format + "\": must be one of " + format_names());
  if (format->binary && options.output.empty() && isatty(STDOUT_FILENO) == 1) {
    return refuse("--format " + options.format + ": is not for a terminal: use --output FILE");
  }
  Reports reports;
  std::string problem;
  WatchTimes times{};
  if (!watch_times(options, times, problem)) return refuse(problem);
  const bool watch = times.length > Nanos{0};
  if (!(watch ? load_watched(options, times, reports, problem)
              : load_all(options, reports, problem)))
    return refuse(problem);
  if (format->merges && options.apart && reports.size() > 1) {
    return refuse("--apart: " + options.format + " has room for one report, and there are " +
                  std::to_string(reports.size()) + ": leave it out, or name one");
  }
  if (options.merge || format->merges) reports = {merge(reports)};
  for (Report& each : reports) each.advice = advise(each);
  const std::string text = format->render(reports, StackOptions{options.exact, options.threads});
  const int error =
      options.output.empty() ? write_all(STDOUT_FILENO, text) : write_file(options.output, text);
  if (error == 0) return kFine;
  if (options.output.empty())
    return error == EPIPE ? kFine : refuse(std::string("standard output: ") + std::strerror(error));
  return refuse("--output \"" + options.output +
                "\": must be a file that can be written: " + std::strerror(error));
}

}  // namespace clockshim::cli
