#include "cli/livefiles/live_folders.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <set>
#include <string_view>

#include "cli/console/values.h"
#include "cli/livefiles/live_process.h"
#include "os/read_file.h"

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

// Where the library finds CLOCKSHIM_DIR unusable, files are in the usual folder.
const char* chosen() {
  const char* const dir = std::getenv("CLOCKSHIM_DIR");
  return dir != nullptr && *dir == '/' ? dir : nullptr;
}

bool is_same(const std::string& a, const std::string& b) {
  struct stat of_a;
  struct stat of_b;
  return a == b || (stat(a.c_str(), &of_a) == 0 && stat(b.c_str(), &of_b) == 0 &&
                    of_a.st_dev == of_b.st_dev && of_a.st_ino == of_b.st_ino);
}

// A process with mounts of its own may share /dev/shm with us all the same.
void add(Folders& folders, const std::string& folder) {
  if (std::none_of(folders.begin(), folders.end(),
                   [&](const std::string& known) { return is_same(known, folder); }))
    folders.push_back(folder);
}

// The process's root if its paths lead to other files than ours, as in a container; else "".
std::string other_root(const std::string& process) {
  const auto seen = [&](const std::string& what) {
    struct stat info;
    return stat((process + what).c_str(), &info) == 0;
  };
  if (!seen("/root/") || !seen("/ns/mnt")) return "";
  return is_same(process + "/root/", "/") && is_same(process + "/ns/mnt", "/proc/self/ns/mnt")
             ? ""
             : process + "/root";
}

// CLOCKSHIM_DIR as the process was given it; "" if it was not, or must not be seen.
std::string folder_in_environment(const std::string& process) {
  const std::string all = '\0' + content_of(process + "/environ");
  const std::string name = std::string(1, '\0') + "CLOCKSHIM_DIR=";
  const std::size_t at = all.find(name);
  if (at == std::string::npos) return "";
  const std::size_t start = at + name.size();
  return all.substr(start, all.find('\0', start) - start);
}

// What a user is called in a container need not be what we call him, so the names say nothing.
void add_folders_of_container(Folders& folders, const std::string& root) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(root + kParent, error)) {
    if (user_in(entry.path().filename().string()) && entry.is_directory(error) &&
        !entry.is_symlink(error))
      add(folders, entry.path().string());
  }
}

// Equal for two processes whose paths lead to the same files.
using Paths = std::array<std::uint64_t, 3>;

Paths paths_seen_by(const std::string& process) {
  struct stat mounts {};
  struct stat root {};
  stat((process + "/ns/mnt").c_str(), &mounts);
  stat((process + "/root/").c_str(), &root);
  return {mounts.st_ino, root.st_dev, root.st_ino};
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

Folders live_folders_of_all(const std::string& named) {
  Folders out = live_folders(named);
  if (!named.empty() || chosen() != nullptr) return out;
  std::set<Paths> known;
  for (const long pid : all_processes()) {
    const std::string process = "/proc/" + std::to_string(pid);
    const std::string root = other_root(process);
    if (!root.empty() && known.insert(paths_seen_by(process)).second)
      add_folders_of_container(out, root);
    const std::string folder = folder_in_environment(process);
    struct stat info;
    if (folder.starts_with('/') && stat((root + folder).c_str(), &info) == 0 &&
        S_ISDIR(info.st_mode))
      add(out, root + folder);
  }
  return out;
}

Folders live_folders_of(long pid, const std::string& named) {
  Folders out = live_folders(named);
  const std::string process = "/proc/" + std::to_string(pid);
  struct stat info;
  if (!named.empty() || chosen() != nullptr || stat(process.c_str(), &info) != 0) return out;
  add(out, folder_of_user(kParent, info.st_uid));
  const std::string root = other_root(process);
  if (const std::string given = folder_in_environment(process); given.starts_with('/'))
    add(out, root + given);
  if (!root.empty()) add_folders_of_container(out, root);
  return out;
}

const Folders& CurrentFolders::get() {
  constexpr std::chrono::seconds kLong{5};
  const auto now = std::chrono::steady_clock::now();
  if (found_.empty() || now >= next_) {
    found_ = find_();
    next_ = now + kLong;
  }
  return found_;
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
