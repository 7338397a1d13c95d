#include "cli/run/lost_reports.h"

#include <sys/stat.h>
#include <unistd.h>

#include "cli/console/output_file.h"
#include "cli/livefiles/live_dir.h"
#include "cli/livefiles/load_report.h"
#include "os/log.h"
#include "os/report_path.h"
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

// Writes the report to a file of its own.
bool write_report(const Report& report, const Settings& settings) {
  if (report.clocks.empty()) return true;
  std::string path = path_of(report, settings);
  const bool json = path.ends_with(".json");
  // Never overwrite a report that a process has written itself. A device has room for both; a FIFO
  // may have no reader.
  struct stat info;
  if (stat(path.c_str(), &info) == 0 && !S_ISCHR(info.st_mode))
    path += "." + std::to_string(report.pid);
  if (write_file(path, json ? render_json(report) : render_text(report)) == 0) return true;
  say(LogLevel::error, settings.log,
      path + " could not be written: the report of " + name_of(report) + " stays in its live file");
  return false;
}

}  // namespace

void take_lost_reports(pid_t command, const Folders& folders, const Settings& settings,
                       RunSummary* summary) {
  Symbolizer symbolizer;
  for (const std::string& path : live_files(folders)) {
    std::string problem;
    const auto file = LiveFile::open(path, problem);
    if (!file || file->header().run_pid != static_cast<std::uint32_t>(command) ||
        file->life() != Liveness::gone)
      continue;
    bool delivered = true;
    if (summary != nullptr) {
      Report report = file->report();
      if (!report.clocks.empty()) summary->add(std::move(report), RunSummary::From::live_file);
    } else if (report_is_path(settings.report)) {
      Report report;
      delivered = load_live(path, symbolizer, report, problem) && write_report(report, settings);
    }
    if (delivered) static_cast<void>(file->remove());
  }
}

}  // namespace clockshim::cli
