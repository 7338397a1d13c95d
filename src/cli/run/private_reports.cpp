#include "cli/run/private_reports.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <string_view>

#include "cli/inject/preload_environment.h"
#include "cli/run/run_settings.h"
#include "os/log.h"
#include "os/read_file.h"
#include "os/write.h"

namespace clockshim::cli {
namespace {

constexpr std::string_view kEnding = ".txt";
constexpr int kPatience =
    3;  // retries, because a report may appear between the last look and the removal of the folder

// The number that is the whole name before `ending`; 0 if it is anything else.
pid_t number_of(std::string_view name, std::string_view ending) {
  if (!name.ends_with(ending)) return 0;
  name.remove_suffix(ending.size());
  pid_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  return error == std::errc{} && end == name.data() + name.size() ? number : 0;
}

std::vector<pid_t> numbers_in(const std::string& folder, std::string_view ending) {
  std::vector<pid_t> numbers;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    if (const pid_t number = number_of(entry->path().filename().native(), ending); number > 0)
      numbers.push_back(number);
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

}  // namespace

PrivateReports::PrivateReports() : folder_("run") {
  if (folder_.made()) pattern_ = escape_percent(folder_.path()) + "/%p.txt";
}

std::vector<pid_t> PrivateReports::present() const { return numbers_in(folder_.path(), kEnding); }

void PrivateReports::print(pid_t command, const std::string& name, LogLevel limit) {
  if (!folder_.made()) return;
  const std::vector<pid_t> living = processes_with("CLOCKSHIM_REPORT=" + pattern_);
  const bool keep = !living.empty();
  folder_.keep(keep);
  for (int turn = 0; turn < kPatience; ++turn) {
    std::vector<pid_t> pids = present();
    std::stable_partition(pids.begin(), pids.end(),
                          [command](pid_t pid) { return pid == command; });
    // A report is written at exit, so the file of a process that still runs may be incomplete.
    std::erase_if(pids,
                  [&](pid_t pid) { return std::binary_search(living.begin(), living.end(), pid); });
    for (const pid_t pid : pids) {
      write_all(STDERR_FILENO, content_of(file_of(pid)));
      unlink(file_of(pid).c_str());
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
  for (const pid_t pid : numbers_in("/proc", "")) {
    const std::string environment = '\0' + content_of("/proc/" + std::to_string(pid) + "/environ");
    if (environment.find(wanted) != std::string::npos) found.push_back(pid);
  }
  return found;
}

}  // namespace clockshim::cli
