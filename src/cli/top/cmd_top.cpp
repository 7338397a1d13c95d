#include "cli/top/cmd_top.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cli/console/output.h"
#include "cli/console/terminal_width.h"
#include "cli/console/values.h"
#include "cli/livefiles/find_processes.h"
#include "cli/livefiles/live_dir.h"
#include "cli/top/render_top.h"
#include "cli/top/top_screen.h"
#include "os/log.h"
#include "report/text.h"

namespace clockshim::cli {
namespace {

using namespace std::string_view_literals;

struct TopOptions {
  bool once = false;
  bool json = false;
  bool all = false;
  Nanos interval = milliseconds(1000);
  std::vector<std::string> words;  // processes by number or name; none: all of them
  std::string dir;                 // "": where they are by themselves
};

timespec later(timespec t, Nanos n) {
  const std::int64_t sum = from_timespec(t).raw() + n.raw();
  return {static_cast<std::time_t>(sum / kNanosPerSecond),
          static_cast<long>(sum % kNanosPerSecond)};
}

// A terminal that can't move its cursor, such as one in an editor. It gets a table an interval.
bool is_dumb_terminal() {
  const char* name = std::getenv("TERM");
  return isatty(STDOUT_FILENO) != 0 && (name == nullptr || *name == '\0' || name == "dumb"sv);
}

// Prints snapshots at even intervals, however long one takes: of the callers in `pid`, or of
// processes if that is 0. With `until_over`, it ends with them.
void print_snapshots(Watch& watch, const TopOptions& options, CurrentFolders& folders, long pid,
                     bool until_over) {
  timespec next{};
  clock_gettime(CLOCK_MONOTONIC, &next);
  for (bool goes_on = true; goes_on;) {
    next = later(next, options.interval);
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, nullptr) == EINTR) {
    }
    Snapshot snapshot = watch.take_snapshot(folders.get(), pid);
    const bool over =
        until_over &&
        std::none_of(snapshot.processes.begin(), snapshot.processes.end(),
                     [](const ProcessRow& process) { return process.state == "running"; });
    goes_on = (options.json || is_dumb_terminal()) && !options.once && !over;
    goes_on = print(options.json ? snapshot_as_json(snapshot, pid != 0)
                                 : snapshot_as_text(std::move(snapshot), pid != 0,
                                                    terminal_width(STDOUT_FILENO))) &&
              goes_on;
  }
}

// The numbers of the processes that were named. False: `problem` says what is wrong.
bool find_named(const TopOptions& options, const ProcessFinder& finder, std::vector<long>& out,
                std::string& problem) {
  for (const std::string& word : options.words) {
    std::vector<Target> targets;
    if (!finder.find(word, targets, problem)) {
      problem.insert(0, "top \"" + one_line(word) + "\": ");
      return false;
    }
    for (const Target& target : targets) {
      if (target.pid != 0) {
        out.push_back(target.pid);
        continue;
      }
      problem = "top \"" + one_line(word) +
                "\": must be a process that runs; clockshim report shows files, and who is gone";
      return false;
    }
  }
  return true;
}

// Where the files of the processes are; or of all, if none is named.
Folders folders_to_watch(const TopOptions& options, const ProcessFinder& finder,
                         const std::vector<long>& pids) {
  if (pids.empty() || options.all) return live_folders_of_all(options.dir);
  Folders out;
  for (const long pid : pids) {
    for (const std::string& folder : finder.folders_of(pid)) {
      if (std::find(out.begin(), out.end(), folder) == out.end()) out.push_back(folder);
    }
  }
  return out;
}

int top(const TopOptions& options) {
  const ProcessFinder finder(options.dir);
  std::vector<long> pids;
  std::string problem;
  if (!find_named(options, finder, pids, problem)) return refuse(problem);
  Watch watch;
  for (const long pid : pids) {
    const Folders theirs = finder.folders_of(pid);
    if (live_files_of(pid, theirs).empty())
      return refuse("top " + std::to_string(pid) + ": " + why_no_live_file(pid, theirs));
  }
  const auto find_folders = [&] { return folders_to_watch(options, finder, pids); };
  CurrentFolders folders(find_folders);
  const long pid = pids.size() == 1 && !options.all ? pids.front() : 0;
  if (!options.all) watch.only(pids);
  watch.take_snapshot(folders.get(), pid);
  if (options.once || options.json || isatty(STDOUT_FILENO) == 0 || is_dumb_terminal()) {
    print_snapshots(watch, options, folders, pid, !pids.empty() && !options.all);
    return 0;
  }
  problem = show_screen(watch, {find_folders, pid, options.interval});
  return problem.empty() ? 0 : refuse(problem);
}

}  // namespace

void add_top_command(CommandLine& line) {
  auto options = std::make_shared<TopOptions>();
  Command& command = line.add(
      "top", "clockshim top [--once] [--json] [--interval D] [--all] [--dir D] [PID or NAME...]",
      "show who reads the clock now, and how often", [options] { return top(*options); });
  command.flag("--once", options->once,
               "print one table, of one interval (the default if standard output is no terminal)");
  command.flag("--json", options->json,
               "print JSON, for programs: one object an interval and line");
  command.option("--interval", "D", "time between two looks: 500ms, 2s (default 1s)",
                 duration_into(options->interval, milliseconds(10),
                               "must be a duration of at least 10ms, such as 1s"));
  command.flag("--all", options->all, "all processes (the default, if none is named)");
  add_folder_option(command, options->dir);
  command.arguments("PID|NAME",
                    "one process, by number or by the name of its program: show its callers; "
                    "several: only these (default: all processes)",
                    [options](const std::string& value) {
                      options->words.push_back(value);
                      return std::string();
                    });
  command.footer(
      "Keys: q quit, arrows, Enter callers, Esc back, s sort, / filter, p pause, h help.");
}

}  // namespace clockshim::cli
