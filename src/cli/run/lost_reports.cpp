#include "cli/run/lost_reports.h"

#include <unistd.h>

#include "cli/console/output_file.h"
#include "cli/livefiles/live_dir.h"
#include "cli/livefiles/load_report.h"
#include "os/log.h"
#include "os/report_path.h"
#include "os/write.h"
#include "symbolize/symbolize.h"

namespace clockshim::cli {
namespace {

std::string name_of(const Report& report) {
  return report.program + "[" + std::to_string(report.pid) + "]";
}

std::string path_of(const Report& report, const Settings& settings) {
  char host[256] = "unknown";
  gethostname(host, sizeof host - 1);
  return expand_path(settings.report,
                     {report.pid, report.program, host, static_cast<long>(report.started_at)});
}

bool write_report(const Report& report, const Settings& settings) {
  if (settings.report == "none" || report.clocks.empty()) return true;
  if (report_is_path(settings.report)) {
    std::string path = path_of(report, settings);
    const bool json = path.ends_with(".json");
    // Never overwrite a report that a process has written itself.
    if (access(path.c_str(), F_OK) == 0) path += "." + std::to_string(report.pid);
    if (write_file(path, json ? render_json(report) : render_text(report)) == 0) return true;
    say(LogLevel::error, settings.log,
        path + " could not be written: the report of " + name_of(report) +
            " stays in its live file");
    return false;
  }
  if (too_few_for_report(settings.report, report)) {
    say(LogLevel::warn, settings.log,
        name_of(report) + " asked for the time " + std::to_string(report.calls()) +
            " times, and ended without a report (by exec, _exit or a signal)");
    return true;
  }
  return write_all(STDERR_FILENO, render_text(report)) == 0;
}

}  // namespace

void write_lost_reports(pid_t command, const Folders& folders, const Settings& settings) {
  Symbolizer symbolizer;
  for (const std::string& path : live_files(folders)) {
    std::string problem;
    const auto file = LiveFile::open(path, problem);
    if (!file || file->header().run_pid != static_cast<std::uint32_t>(command) ||
        file->life() != Liveness::gone)
      continue;
    Report report;
    if (load_live(path, symbolizer, report, problem) && write_report(report, settings))
      static_cast<void>(file->remove());
  }
}

}  // namespace clockshim::cli
