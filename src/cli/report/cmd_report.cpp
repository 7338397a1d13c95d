#include "cli/report/cmd_report.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "analysis/advice.h"
#include "analysis/merge.h"
#include "cli/console/nearest.h"
#include "cli/console/output.h"
#include "cli/console/output_file.h"
#include "cli/console/terminal_width.h"
#include "cli/console/values.h"
#include "cli/livefiles/find_processes.h"
#include "cli/livefiles/load_report.h"
#include "cli/report/watch_rates.h"
#include "formats/formats.h"
#include "os/log.h"
#include "report/text.h"

namespace clockshim::cli {
namespace {

constexpr int kFine = 0;
constexpr Nanos kShortest = milliseconds(10);

struct ReportOptions {
  const Format* format = find_format("table");
  std::string output;  // a file; "": standard output
  bool merge = false;
  bool apart = false;
  bool exact = false;     // no samples, and no frames that were only seen at the first call
  bool children = false;  // include the processes' children
  bool threads = false;   // show each thread separately
  Nanos watch{0};         // how long to watch for rates over time; 0: not at all
  Nanos interval{0};      // between two looks; 0: chosen automatically
  bool all = false;       // all processes that run
  std::string dir;        // "": where they are by themselves
  std::vector<std::string> words;  // process ids, names of programs, and files
};

struct WatchTimes {
  Nanos length;
  Nanos interval;
};

// How long to watch and how often to look; without a length, not at all. False: the options are not
// possible.
bool watch_times(const ReportOptions& options, WatchTimes& out, std::string& problem) {
  constexpr std::int64_t kMostLooks = 10'000;
  const Nanos length = options.watch;
  const Nanos interval = options.interval;
  const std::string given = "--interval \"" + format_duration(interval) + "\": ";
  if (length == Nanos{0}) {
    if (interval != Nanos{0}) problem = given + "must be with --watch, which looks so often";
    return problem.empty();
  }
  const Nanos least = std::max(kShortest, Nanos{(length.raw() + kMostLooks - 1) / kMostLooks});
  const Nanos usual = std::clamp(Nanos{length.raw() / 10}, kShortest, milliseconds(1000));
  out = {length, interval == Nanos{0} ? usual : interval};
  if (interval != Nanos{0} && (interval < least || interval > length)) {
    problem = given + "must be a duration from " + format_duration(least) +
              " to that of --watch, " + format_duration(length);
  }
  return problem.empty();
}

// Finds what the words mean; without any, the newest process.
bool find_targets(const ReportOptions& options, const ProcessFinder& finder,
                  std::vector<Target>& out, std::string& problem) {
  std::string note;
  const bool named = options.all || !options.words.empty();
  if (options.all ? !finder.find_all(out, problem)
                  : !named && !finder.find_newest("", out, note, problem)) {
    problem.insert(0, "report: ");
    return false;
  }
  if (!note.empty()) say(LogLevel::warn, LogLevel::warn, "report: " + note);
  for (const std::string& word : options.words) {
    if (finder.find(word, out, problem)) continue;
    problem.insert(0, "report \"" + one_line(word) + "\": ");
    return false;
  }
  return true;
}

// Watches processes, all at the same moments, and then loads their reports.
bool load_watched(const ReportOptions& options, const WatchTimes& times,
                  const ProcessFinder& finder, const std::vector<Target>& targets, Reports& out,
                  std::string& problem) {
  if (options.children) {
    problem =
        "--children: can't be watched, as they come and go: name the processes that --watch is to "
        "look at";
    return false;
  }
  std::vector<RateWatch> processes;
  for (const Target& target : targets) {
    if (target.pid == 0) {
      problem =
          "--watch: must have a process that runs, and \"" + one_line(target.path) + "\" is a file";
      return false;
    }
    auto process = RateWatch::of(target.pid, finder.folders_of(target.pid), problem);
    if (!process && !target.found) {
      problem.insert(
          0, "report " + std::to_string(target.pid) + ": must be a process that is served now: ");
      return false;
    }
    if (process) processes.push_back(std::move(*process));
  }
  if (processes.empty()) {
    problem = "report: all of these processes have ended";
    return false;
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

std::string format_names() {
  std::string out;
  for (const Format& format : formats())
    out += (out.empty() ? "" : ", ") + std::string(format.name);
  return out;
}

int report(const ReportOptions& options) {
  const Format* const format = options.format;
  const std::string format_name = format->name;
  if (format->binary && options.output.empty() && isatty(STDOUT_FILENO) == 1) {
    return refuse("--format " + format_name + ": is not for a terminal: use --output FILE");
  }
  Reports reports;
  std::string problem;
  WatchTimes times{};
  if (!watch_times(options, times, problem)) return refuse(problem);
  const bool watch = times.length > Nanos{0};
  const ProcessFinder finder(options.dir);
  std::vector<Target> targets;
  if (!find_targets(options, finder, targets, problem)) return refuse(problem);
  if (!(watch ? load_watched(options, times, finder, targets, reports, problem)
              : TargetLoader(finder, options.children).load(targets, reports, problem)))
    return refuse(problem);
  if (format->merges && options.apart && reports.size() > 1) {
    return refuse("--apart: " + format_name + " has room for one report, and there are " +
                  std::to_string(reports.size()) + ": leave it out, or name one");
  }
  if (options.merge || format->merges) reports = {merge(reports)};
  for (Report& each : reports) each.advice = advise(each);
  const std::size_t width = options.output.empty() ? terminal_width(STDOUT_FILENO) : 0;
  const std::string text =
      format->render(reports, StackOptions{options.exact, options.threads, width});
  if (options.output.empty()) {
    print(text);
    return kFine;
  }
  const int error = write_file(options.output, text);
  if (error == 0) return kFine;
  return refuse("--output \"" + options.output +
                "\": must be a file that can be written: " + std::strerror(error));
}

Take format_into(const Format*& out) {
  return [&out](const std::string& value) -> std::string {
    const Format* const found = find_format(value);
    if (found == nullptr) {
      std::vector<std::string> names;
      for (const Format& format : formats()) names.emplace_back(format.name);
      return "must be one of " + format_names() + did_you_mean(value, names);
    }
    out = found;
    return "";
  };
}

}  // namespace

void add_report_command(CommandLine& line) {
  auto options = std::make_shared<ReportOptions>();
  Command& command =
      line.add("report",
               "clockshim report [--format F] [--output FILE] [--merge or --apart] [--threads] "
               "[--watch D] [--all] [--dir D] [PID, NAME or FILE...]",
               "show who reads the clock in a process, or who did, from files",
               [options] { return report(*options); });
  command.option("--format", "F", "table (default), or another of the formats below",
                 format_into(options->format));
  command.option("--output", "FILE",
                 "write to this file, all or nothing (default: standard output)",
                 file_into(options->output));
  command.flag("--merge", options->merge, "make one report of several, and sum their callers");
  command.flag("--apart", options->apart,
               "show several reports one after the other (default, if the format has room)");
  command.exclusive("--merge", "--apart");
  command.flag("--children", options->children,
               "include the processes that PID forked, or that the same clockshim run started");
  command.option("--watch", "D",
                 "watch the processes first, for this long (30s; Ctrl-C ends it): html and json "
                 "then have rates over time",
                 duration_into(options->watch, kShortest,
                               "must be a duration from 10ms to 3600s, such as 30s"));
  command.option("--interval", "D",
                 "time between two looks (default 1s, or a tenth of a shorter watch)",
                 duration_into(options->interval, kShortest,
                               "must be a duration of at least 10ms, such as 1s"));
  command.flag("--threads", options->threads,
               "show each thread of a process separately (json always does)");
  command.flag("--exact", options->exact,
               "leave out sampled stacks, and callers that were seen at the first call only");
  command.flag("--all", options->all, "all processes that run under the shim now");
  add_folder_option(command, options->dir);
  command.arguments("PID|NAME|FILE",
                    "processes, by number or by the name of their program; live files or JSON "
                    "reports (-: standard input); default: the newest process",
                    [options](const std::string& value) {
                      options->words.push_back(value);
                      return std::string();
                    });
  std::string formats_and_status = "Formats:\n";
  for (const Format& format : formats())
    formats_and_status += fmt::format("  {:<12}{}\n", format.name, format.help);
  command.footer(formats_and_status + "Exit status: 0; 2: an error.");
}

}  // namespace clockshim::cli
