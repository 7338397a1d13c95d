#include "preload/exit_report.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "live/region.h"
#include "os/containment.h"
#include "os/deadline.h"
#include "os/error_text.h"
#include "os/held_signals.h"
#include "os/log.h"
#include "os/real_clock.h"
#include "os/report_path.h"
#include "os/write.h"
#include "preload/arena.h"
#include "preload/collect.h"
#include "preload/forks.h"
#include "preload/lifecycle.h"
#include "preload/live_file.h"

namespace clockshim {
namespace {

// The time limit for reading names from files. A host that hangs for a report is worse than one
// without a report; so is one that is being stopped.
constexpr Nanos kTimeForNames{2 * kNanosPerSecond};

PathFacts path_facts(const ProcessState& state) {
  char host[256] = "unknown";
  gethostname(host, sizeof host - 1);
  return {getpid(), state.program, host, state.started_at};
}

std::string folder_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// A child must not overwrite its parent's report. If the path has no %p, the child appends its pid.
std::string report_path(const ProcessState& state) {
  std::string path = expand_path(state.settings.report, path_facts(state));
  if (getpid() != state.pid && state.settings.report.find("%p") == std::string::npos)
    path += "." + std::to_string(getpid());
  return path;
}

// Writes the report, whatever is at the path: a FIFO that is full or has no reader, a terminal, a
// file at its size limit, a full disk.
bool write_report(const std::string& path, const std::string& text, std::string& problem) {
  constexpr int kFlags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
  int fd = open(path.c_str(), kFlags | O_EXCL, 0644);
  const bool made = fd >= 0;
  if (!made) fd = open(path.c_str(), kFlags, 0644);
  int error = fd < 0 ? errno : write_within_a_second(fd, text);
  // Leave no partial report. Whatever is not a file stays as it is.
  if (error != 0 && made) unlink(path.c_str());
  if (error != 0 && fd >= 0) static_cast<void>(ftruncate(fd, 0) == 0);
  if (fd >= 0 && close(fd) != 0 && error == 0) error = errno;
  if (error != 0) problem = error_text(error);
  return error == 0;
}

// Whether this process has read any clock. If calls are not counted, resyncs show it.
bool has_read_a_clock() {
  if (!g_uncounted) return live::current().header.counted.load(std::memory_order_relaxed) != 0;
  for (const auto& clock : live::current().clock.clocks) {
    if (clock.resyncs.load(std::memory_order_relaxed) != 0) return true;
  }
  return false;
}

// Writes the report, or its one line. True: everything that should be reported was.
bool deliver(const ProcessState& state, Report& report) {
  const Settings& settings = state.settings;
  const Deadline deadline(kTimeForNames);
  const bool few = !g_uncounted && too_few_for_report(settings.report, report);
  if (!few) name_callers(report, stack_has_room(), deadline);
  if (report_is_path(settings.report)) {
    const std::string path = report_path(state);
    const bool json = path.size() >= 5 && path.compare(path.size() - 5, 5, ".json") == 0;
    std::string problem;
    if (json) name_own_threads(report, deadline);
    if (write_report(path, json ? render_json(report) : render_text(report), problem)) return true;
    // Log only one line if others can read the counts in the live file.
    const bool kept = has_live_file();
    say(LogLevel::error, settings.log,
        "CLOCKSHIM_REPORT=\"" + settings.report + "\": " + path + " could not be written: " +
            problem + (kept ? "; `clockshim report` tells it" : "; here is the report"));
    if (kept) return false;
  } else if (few) {
    say(LogLevel::info, settings.log,
        state.program + "[" + std::to_string(report.pid) + "] asked for the time " +
            std::to_string(report.calls()) + " times; CLOCKSHIM_REPORT=PATH tells who");
    return true;
  }
  return stderr_is_still_ours() && write_within_a_second(STDERR_FILENO, render_text(report)) == 0;
}

struct Delivery {
  const ProcessState& state;
  bool done = false;
};

void deliver_apart(void* p) {
  auto& delivery = *static_cast<Delivery*>(p);
  Report report = collect_report();
  delivery.done = deliver(delivery.state, report);
}

// Logs without using any memory.
void say_given_up(const Settings& settings) {
  constexpr std::string_view kLine = "clockshim: no memory for the report of this process\n";
  if (settings.log < LogLevel::error || !stderr_is_still_ours()) return;
  write_within_a_second(STDERR_FILENO, kLine);
}

}  // namespace

std::string report_path_problem(const ProcessState& state) {
  const std::string path = expand_path(state.settings.report, path_facts(state));
  return report_path_problem(path, folder_of(path));
}

void write_exit_report(const ProcessState& state) {
  if (!state.active || !region_is_ours()) return;
  // A process that has confined itself may forbid every system call that it does not make itself,
  // so its counts stay in its live file. With CLOCKSHIM_REPORT=none no system call is needed
  // either.
  if (self_contained() || state.settings.report == "none") return mark_ended(0);
  // Hold all signals: a handler might call exit() again, which would cut the report short, or look
  // at this stack.
  const HeldSignals held(HeldSignals::kAll);
  Nanos now;
  real::read(CLOCK_MONOTONIC, now);
  mark_ended(now.raw());
  bool delivered = true;
  if (has_read_a_clock()) {
    Delivery delivery{state};
    if (!run_apart(deliver_apart, &delivery, true)) say_given_up(state.settings);
    delivered = delivery.done;
  }
  if (delivered) remove_live_file();
  tidy_children();
}

}  // namespace clockshim
