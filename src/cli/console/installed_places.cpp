#include "cli/console/installed_places.h"

#include <unistd.h>

#include <filesystem>

namespace clockshim::cli {

std::string page_path(const std::string& executable, const std::string& page) {
  const std::string folder = executable.substr(0, executable.rfind('/') + 1);
  const std::string path =
      (std::filesystem::path(folder) / kInstalledPagesFolder / page).lexically_normal().string();
  return access(path.c_str(), R_OK) == 0 ? path : "docs/" + page;
}

}  // namespace clockshim::cli
