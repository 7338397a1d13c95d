#include "cli/doctor/live_rate.h"

#include <algorithm>
#include <ctime>
#include <vector>

#include "cli/livefiles/live_dir.h"
#include "report/saved.h"

namespace clockshim::cli {

std::optional<LiveRate> read_live_rate(pid_t pid, Nanos length, std::string& why_not) {
  const Folders folders = live_folders_of(pid);
  const std::vector<std::string> files = live_files_of(pid, folders);
  if (files.empty()) {
    why_not = "no live file of it in " + in_words(folders);
    return std::nullopt;
  }
  std::vector<Report> looks;
  for (int i = 0; i < 2; ++i) {
    std::string problem;
    const auto file = LiveFile::open(files.front(), problem);
    if (!file) {
      why_not = files.front() + " " + (problem.empty() ? "has nothing to report" : problem);
      return std::nullopt;
    }
    looks.push_back(file->report());
    const timespec rest{length.raw() / kNanosPerSecond, length.raw() % kNanosPerSecond};
    if (i == 0) nanosleep(&rest, nullptr);
  }
  if (looks[1].profile == "off") {
    why_not = "it does not count (CLOCKSHIM_PROFILE=off)";
    return std::nullopt;
  }
  const double seconds = looks[1].seconds - looks[0].seconds;
  if (looks[1].state != "running" || seconds <= 0) {
    why_not = "it has ended, or whether it runs can't be seen";
    return std::nullopt;
  }
  // Words are read while they are written, so a sum may be less than the one before.
  const auto by_second = [&](auto before, auto after) {
    return std::max(static_cast<double>(after) - static_cast<double>(before), 0.0) / seconds;
  };
  return LiveRate{by_second(looks[0].calls(), looks[1].calls()),
                  by_second(clockshim::saved_ns(looks[0]), clockshim::saved_ns(looks[1])) / 1e9};
}

}  // namespace clockshim::cli
