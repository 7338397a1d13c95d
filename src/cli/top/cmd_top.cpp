#include "cli/top/cmd_top.h"

#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <ctime>

#include "base/duration.h"
#include "cli/livefiles/live_dir.h"
#include "cli/top/render_top.h"
#include "cli/top/top_screen.h"
#include "os/log.h"
#include "os/write.h"
#include "report/text.h"

namespace clockshim::cli {
namespace {

constexpr int kBadOption = 2;
constexpr Nanos kShortest = milliseconds(10);

int refuse(const std::string& line) {
  say(LogLevel::error, LogLevel::error, line);
  return kBadOption;
}

timespec later(timespec t, Nanos n) {
  const std::int64_t sum = from_timespec(t).raw() + n.raw();
  return {static_cast<std::time_t>(sum / kNanosPerSecond),
          static_cast<long>(sum % kNanosPerSecond)};
}

// Prints snapshots at even intervals, however long one takes. Returns the exit status.
int print_snapshots(Watch& watch, const TopOptions& options, const Folders& folders, long pid,
                    Nanos interval) {
  timespec next{};
  clock_gettime(CLOCK_MONOTONIC, &next);
  for (;;) {
    next = later(next, interval);
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, nullptr) == EINTR) {
    }
    Snapshot snapshot = watch.take_snapshot(folders, pid);
    const bool over =
        pid != 0 && (snapshot.processes.empty() || snapshot.processes[0].state != "running");
    const bool last = options.once || !options.json || over;
    if (write_all(STDOUT_FILENO, options.json
                                     ? snapshot_as_json(snapshot, pid != 0)
                                     : snapshot_as_text(std::move(snapshot), pid != 0)) != 0)
      return 0;
    if (last) return 0;
  }
}

}  // namespace

int top(const TopOptions& options) {
  const auto interval = parse_duration(options.interval);
  if (!interval || *interval < kShortest)
    return refuse("--interval \"" + one_line(options.interval) +
                  "\": must be a duration of at least 10ms");
  long pid = 0;
  if (!options.target.empty()) {
    const char* const end = options.target.data() + options.target.size();
    const auto [rest, error] = std::from_chars(options.target.data(), end, pid);
    if (error != std::errc{} || rest != end || pid <= 0)
      return refuse("top \"" + one_line(options.target) + "\": must be a process id");
  }
  const Folders folders =
      options.dir.empty() && pid != 0 ? live_folders_of(pid) : live_folders(options.dir);
  Watch watch;
  if (watch.take_snapshot(folders, pid).processes.empty() && pid != 0)
    return refuse("top " + options.target + ": no live file of this process in " +
                  one_line(in_words(folders)) + "; clockshim list shows who has one");
  if (options.once || options.json || isatty(STDOUT_FILENO) == 0)
    return print_snapshots(watch, options, folders, pid, *interval);
  const std::string problem = show_screen(watch, {folders, pid, *interval});
  return problem.empty() ? 0 : refuse(problem);
}

}  // namespace clockshim::cli
