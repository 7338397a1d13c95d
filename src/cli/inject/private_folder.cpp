#include "cli/inject/private_folder.h"

#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>

namespace clockshim::cli {

PrivateFolder::PrivateFolder(const std::string& purpose) {
  const char* named = getenv("TMPDIR");
  std::error_code error;
  const auto base =
      std::filesystem::absolute(named != nullptr && *named != '\0' ? named : "/tmp", error);
  std::string path = (base / ("clockshim-" + purpose + "-XXXXXX")).string();
  const mode_t before =
      umask(S_IRWXG | S_IRWXO);  // so that the folder gets the mode 0700 in any case
  if (!error && mkdtemp(path.data()) != nullptr) path_ = path;
  umask(before);
}

PrivateFolder::~PrivateFolder() {
  std::error_code error;
  if (made() && !keep_) std::filesystem::remove_all(path_, error);
}

}  // namespace clockshim::cli
