#include "cli/livefiles/live_folders.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "cli/console/values.h"

namespace clockshim::cli {
namespace {

constexpr const char* kParent = "/dev/shm";
constexpr std::string_view kPrefix = "clockshim-";

std::string folder_of_user(const std::string& parent, uid_t user) {
  return parent + "/" + std::string(kPrefix) + std::to_string(user);
}

std::optional<uid_t> user_in(std::string_view name) {
  if (!name.starts_with(kPrefix)) return std::nullopt;
  name.remove_prefix(kPrefix.size());
  uid_t user = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), user);
  return error == std::errc{} && end == name.data() + name.size() && name == std::to_string(user)
             ? std::optional(user)
             : std::nullopt;
}

const char* chosen() {
  const char* const dir = std::getenv("CLOCKSHIM_DIR");
  return dir != nullptr && *dir != '\0' ? dir : nullptr;
}

}  // namespace

Folders folders_in(const std::string& parent, uid_t own) {
  Folders out{folder_of_user(parent, own)};
  DIR* const all = opendir(parent.c_str());
  if (all == nullptr) return out;
  while (const dirent* entry = readdir(all)) {
    const auto user = user_in(entry->d_name);
    if (!user || *user == own) continue;
    const std::string path = folder_of_user(parent, *user);
    struct stat info;
    // Any user may create such a name in a shared folder. Ignore what is not a folder of that user.
    if (lstat(path.c_str(), &info) != 0 || !S_ISDIR(info.st_mode) || info.st_uid != *user) continue;
    if (faccessat(AT_FDCWD, path.c_str(), R_OK | X_OK, AT_EACCESS) == 0) out.push_back(path);
  }
  closedir(all);
  std::sort(out.begin() + 1, out.end());
  return out;
}

Folders live_folders(const std::string& named) {
  if (!named.empty()) return {named};
  if (const char* const dir = chosen(); dir != nullptr) return {dir};
  return folders_in(kParent, geteuid());
}

Folders live_folders_of(long pid) {
  Folders out = live_folders();
  struct stat info;
  if (chosen() != nullptr || stat(("/proc/" + std::to_string(pid)).c_str(), &info) != 0) return out;
  const std::string theirs = folder_of_user(kParent, info.st_uid);
  if (std::find(out.begin(), out.end(), theirs) == out.end()) out.push_back(theirs);
  return out;
}

std::string in_words(const Folders& folders) {
  std::string out;
  for (std::size_t i = 0; i < folders.size(); ++i)
    out += (i == 0 ? "" : i + 1 == folders.size() ? " and " : ", ") + folders[i];
  return out;
}

void add_folder_option(Command& command, std::string& dir) {
  command.option("--dir", "D",
                 "the folder of live files (default: CLOCKSHIM_DIR, or /dev/shm/clockshim-UID; "
                 "for root, the folders of all users)",
                 text_into(dir));
}

}  // namespace clockshim::cli
