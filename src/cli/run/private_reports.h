// Collects the reports that should appear on standard error in files, because many programs close
// standard error before the library's destructor could write there. One run has a private folder,
// whose reports are written when the command has ended.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "cli/inject/private_folder.h"
#include "os/settings.h"

namespace clockshim::cli {

class PrivateReports {
 public:
  // Creates the folder, in TMPDIR or /tmp. pattern() is "" if that fails.
  PrivateReports();

  // The value for CLOCKSHIM_REPORT.
  [[nodiscard]] const std::string& pattern() const { return pattern_; }

  // Writes the reports to standard error, `command`'s first, the others by pid, and removes them.
  // The folder is removed, too, unless processes of this run are still alive: what they start would
  // take a report path without a folder for a bad setting.
  void print(pid_t command, const std::string& name, LogLevel limit);

 private:
  [[nodiscard]] std::vector<pid_t> present() const;
  [[nodiscard]] std::string file_of(pid_t pid) const {
    return folder_.path() + "/" + std::to_string(pid) + ".txt";
  }

  PrivateFolder folder_;
  std::string pattern_;
};

// The processes whose environment at exec had this entry, "NAME=value".
std::vector<pid_t> processes_with(const std::string& entry);

}  // namespace clockshim::cli
