// Collects the reports of a run's processes in a private folder, as JSON, so that they can be
// summed up when the command has ended. (Many programs close standard error before the library's
// destructor could write there, too.)
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "cli/inject/private_folder.h"
#include "cli/run/run_summary.h"
#include "os/settings.h"

namespace clockshim::cli {

class PrivateReports {
 public:
  // Creates the folder, in TMPDIR or /tmp. pattern() is "" if that fails.
  PrivateReports();

  // The value for CLOCKSHIM_REPORT.
  [[nodiscard]] const std::string& pattern() const { return pattern_; }

  // Adds the reports to `summary`, and removes them. `name` is the command's. The folder is
  // removed, too, unless processes of this run are still alive: what they start would take a report
  // path without a folder for a bad setting.
  void collect(RunSummary& summary, const std::string& name, LogLevel limit);

 private:
  PrivateFolder folder_;
  std::string pattern_;
};

// The processes whose environment at exec had this entry, "NAME=value".
std::vector<pid_t> processes_with(const std::string& entry);

}  // namespace clockshim::cli
