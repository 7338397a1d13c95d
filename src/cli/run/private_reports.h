// Reports that are to appear on standard error, by way of files: many programs close standard error
// before the library's destructor could write there. A private folder for one run; its reports are
// told when the command has ended.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "cli/inject/private_folder.h"
#include "os/settings.h"

namespace clockshim::cli {

class PrivateReports {
 public:
  // Makes the folder, in TMPDIR or /tmp. Without one pattern() is "".
  PrivateReports();

  // For CLOCKSHIM_REPORT.
  [[nodiscard]] const std::string& pattern() const { return pattern_; }

  // Writes the reports to standard error, `command`'s first, the others by process id, and removes
  // them. The folder goes too, unless processes of this run live on: whatever they start would take
  // a report's path without a folder for a bad setting.
  void tell(pid_t command, const std::string& name, LogLevel limit);

 private:
  [[nodiscard]] std::vector<pid_t> present() const;
  [[nodiscard]] std::string file_of(pid_t pid) const {
    return folder_.path() + "/" + std::to_string(pid) + ".txt";
  }

  PrivateFolder folder_;
  std::string pattern_;
};

// Living processes whose environment at exec had this entry, "NAME=value".
std::vector<pid_t> processes_with(const std::string& entry);

}  // namespace clockshim::cli
