#include "cli/run/private_reports.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "analysis/read_json.h"
#include "cli/inject/preload_environment.h"
#include "cli/inject/setting_options.h"
#include "os/log.h"
#include "os/read_file.h"

namespace clockshim::cli {
namespace {

constexpr int kPatience =
    3;  // retries, because a report may appear between the last look and the removal of the folder

// The number at the start of a name; 0: there is none.
pid_t number_of(const std::string& name) {
  pid_t number = 0;
  std::from_chars(name.data(), name.data() + name.size(), number);
  return number;
}

// The names in a folder that begin with a number, in the order of the numbers.
std::vector<std::string> numbered_in(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    if (number_of(entry->path().filename().native()) > 0)
      names.push_back(entry->path().filename().native());
  }
  std::sort(names.begin(), names.end(),
            [](const std::string& a, const std::string& b) { return number_of(a) < number_of(b); });
  return names;
}

}  // namespace

// The time is there because a process id may be used again.
PrivateReports::PrivateReports() : folder_("run") {
  if (folder_.made()) pattern_ = escape_percent(folder_.path()) + "/%p.%t.json";
}

void PrivateReports::collect(RunSummary& summary, const std::string& name, LogLevel limit) {
  if (!folder_.made()) return;
  const std::vector<pid_t> living = processes_with("CLOCKSHIM_REPORT=" + pattern_);
  const bool keep = !living.empty();
  folder_.keep(keep);
  for (int turn = 0; turn < kPatience; ++turn) {
    for (const std::string& file : numbered_in(folder_.path())) {
      // A report is written at exit, so the file of a process that still runs may be incomplete.
      if (std::binary_search(living.begin(), living.end(), number_of(file))) continue;
      const std::string path = folder_.path() + "/" + file;
      Report report;
      std::string problem;
      if (read_json(content_of(path), report, problem)) {
        summary.add(std::move(report), RunSummary::From::process);
      } else {
        say(LogLevel::warn, limit,
            "the report of process " + std::to_string(number_of(file)) + " " + problem);
      }
      unlink(path.c_str());
    }
    if (keep || rmdir(folder_.path().c_str()) == 0) break;
  }
  if (!keep) return;
  say(LogLevel::warn, limit,
      "process " + std::to_string(living.front()) +
          (living.size() == 1 ? "" : " and " + std::to_string(living.size() - 1) + " more") +
          " of " + name + " live on; their reports will be in " + folder_.path());
}

std::vector<pid_t> processes_with(const std::string& entry) {
  const std::string wanted = '\0' + entry + '\0';
  std::vector<pid_t> found;
  for (const std::string& pid : numbered_in("/proc")) {
    const std::string environment = '\0' + content_of("/proc/" + pid + "/environ");
    if (environment.find(wanted) != std::string::npos) found.push_back(number_of(pid));
  }
  return found;
}

}  // namespace clockshim::cli
