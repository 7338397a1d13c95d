// The folders in which live files are looked for. The files of a process are in the folder of the
// user that it ran as when it began to count. So the workers of a daemon that root starts may have
// theirs in other folders than the daemon.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace clockshim::cli {

class Command;

using Folders = std::vector<std::string>;

// Only `named` (--dir), if it is not ""; else only CLOCKSHIM_DIR, if it is set; else the folders of
// all users that we may read, our own first, even if it does not exist. For root that is all of
// them, for other users their own.
Folders live_folders(const std::string& named = "");
// Like live_folders(). If no folder is chosen in one of these ways: also those of all containers,
// and the folders that the CLOCKSHIM_DIR of any process that runs names, as far as they may be
// seen.
Folders live_folders_of_all(const std::string& named = "");
// Like live_folders(). If no folder is chosen in one of these ways: also the folder of the
// process's user, the one that its own CLOCKSHIM_DIR names, and those of its container.
Folders live_folders_of(long pid, const std::string& named = "");

// Folders that are looked up again every few seconds, because containers come and go.
class CurrentFolders {
 public:
  explicit CurrentFolders(std::function<Folders()> find) : find_(std::move(find)) {}
  const Folders& get();

 private:
  std::function<Folders()> find_;
  Folders found_{};
  std::chrono::steady_clock::time_point next_{};
};

// The folders in `parent` named clockshim-UID that belong to UID and can be read. The folder of
// `own` comes first.
Folders folders_in(const std::string& parent, uid_t own);

// The option --dir of what reads live files.
void add_folder_option(Command& command, std::string& dir);

// Lists them for a message: "A", "A and B", "A, B and C".
std::string in_words(const Folders& folders);

}  // namespace clockshim::cli
