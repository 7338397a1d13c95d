#include "os/report_path.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "os/error_text.h"

namespace clockshim {

std::string report_path_problem(const std::string& path, const std::string& folder) {
  struct stat info;
  if (stat(path.c_str(), &info) == 0) {
    if (S_ISDIR(info.st_mode)) return kReportPathIsDirectory;
    return access(path.c_str(), W_OK) == 0 ? "" : error_text(errno);
  }
  if (access(folder.c_str(), W_OK | X_OK) == 0) return "";
  return "can't be made in " + folder + ": " + error_text(errno);
}

}  // namespace clockshim
