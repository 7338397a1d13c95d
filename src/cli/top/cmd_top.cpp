#include "cli/top/cmd_top.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <string>
#include <string_view>

#include "cli/console/values.h"
#include "cli/livefiles/live_dir.h"
#include "cli/top/render_top.h"
#include "cli/top/top_screen.h"
#include "os/log.h"
#include "os/write.h"
#include "report/text.h"

namespace clockshim::cli {
namespace {

using namespace std::string_view_literals;

struct TopOptions {
  bool once = false;
  bool json = false;
  Nanos interval = milliseconds(1000);
  long pid = 0;     // 0: all processes
  std::string dir;  // "": CLOCKSHIM_DIR, or the folder of the process's user
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

// Prints snapshots at even intervals, however long one takes. Returns the exit status.
int print_snapshots(Watch& watch, const TopOptions& options, const Folders& folders) {
  const long pid = options.pid;
  timespec next{};
  clock_gettime(CLOCK_MONOTONIC, &next);
  for (;;) {
    next = later(next, options.interval);
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, nullptr) == EINTR) {
    }
    Snapshot snapshot = watch.take_snapshot(folders, pid);
    const bool over =
        pid != 0 && (snapshot.processes.empty() || snapshot.processes[0].state != "running");
    const bool last = options.once || !(options.json || is_dumb_terminal()) || over;
    if (write_all(STDOUT_FILENO, options.json
                                     ? snapshot_as_json(snapshot, pid != 0)
                                     : snapshot_as_text(std::move(snapshot), pid != 0)) != 0)
      return 0;
    if (last) return 0;
  }
}

int top(const TopOptions& options) {
  const long pid = options.pid;
  const Folders folders =
      options.dir.empty() && pid != 0 ? live_folders_of(pid) : live_folders(options.dir);
  Watch watch;
  if (watch.take_snapshot(folders, pid).processes.empty() && pid != 0)
    return refuse("top " + std::to_string(pid) + ": no live file of this process in " +
                  one_line(in_words(folders)) + "; clockshim list shows who has one");
  if (options.once || options.json || isatty(STDOUT_FILENO) == 0 || is_dumb_terminal())
    return print_snapshots(watch, options, folders);
  const std::string problem = show_screen(watch, {folders, pid, options.interval});
  return problem.empty() ? 0 : refuse(problem);
}

}  // namespace

void add_top_command(CommandLine& line) {
  auto options = std::make_shared<TopOptions>();
  Command& command =
      line.add("top", "clockshim top [--once] [--json] [--interval D] [--dir D] [PID]",
               "show who reads the clock now, and how often", [options] { return top(*options); });
  command.flag("--once", options->once,
               "print one table, of one interval (the default if standard output is no terminal)");
  command.flag("--json", options->json,
               "print JSON, for programs: one object an interval and line");
  command.option(
      "--interval", "D", "time between two looks: 500ms, 2s (default 1s)",
      duration_into(options->interval, milliseconds(10), "must be a duration of at least 10ms"));
  add_folder_option(command, options->dir);
  command.arguments("PID", "show the callers in this process (default: all processes)",
                    process_into(options->pid));
  command.footer(
      "Keys: q quit, arrows, Enter callers, Esc back, s sort, / filter, p pause, h help.");
}

}  // namespace clockshim::cli
