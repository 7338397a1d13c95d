#include "cli/inject/preload_environment.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "cli/console/installed_places.h"
#include "os/descriptor.h"

namespace clockshim::cli {
namespace {

bool usable(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) && access(path.c_str(), R_OK) == 0;
}

// Whether the loader of a 64-bit program would load it, too, and not ignore it.
bool of_this_machine(const std::string& path) {
  Elf64_Ehdr header{};
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  return pread(file.get(), &header, sizeof header, 0) == sizeof header &&
         std::memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 &&
         header.e_ident[EI_CLASS] == ELFCLASS64 && header.e_machine == EM_X86_64 &&
         header.e_type == ET_DYN;
}

std::string canonical(const std::string& path) {
  std::error_code error;
  const auto result = std::filesystem::canonical(path, error);
  return error ? path : result.string();
}

}  // namespace

std::string find_library(const std::string& executable, const char* named, std::string& problem) {
  if (named != nullptr && *named != '\0') {
    problem = "CLOCKSHIM_LIBRARY=\"" + std::string(named) + "\": ";
    if (!usable(named)) {
      problem += "no library there that can be read";
    } else if (!of_this_machine(named)) {
      problem += "not a 64-bit library for x86-64: name the libclockshim.so of this version";
    } else {
      problem.clear();
      return canonical(named);
    }
    return "";
  }
  // Next to the command and one folder up is the build tree. Then comes the place that was
  // configured, and the usual ones, in case a package has moved the library.
  const std::filesystem::path here = executable.substr(0, executable.rfind('/') + 1);
  std::vector<std::string> folders;
  for (const char* place :
       {"", "../", kInstalledLibraryFolder, "../lib/x86_64-linux-gnu/", "../lib64/", "../lib/"}) {
    const std::string folder = (here / place).lexically_normal().string();
    if (std::find(folders.begin(), folders.end(), folder) == folders.end())
      folders.push_back(folder);
  }
  std::string places;
  for (const std::string& folder : folders) {
    if (usable(folder + "libclockshim.so")) return canonical(folder + "libclockshim.so");
    places += (places.empty() ? "" : ", ") + folder;
  }
  problem =
      "libclockshim.so is in none of " + places + "; CLOCKSHIM_LIBRARY=PATH names another place";
  return "";
}

std::string preload_without(const std::string& library, std::string_view present) {
  std::string all;
  while (!present.empty()) {
    const auto end = std::min(present.find_first_of(" :"), present.size());
    const std::string_view entry = present.substr(0, end);
    present.remove_prefix(std::min(end + 1, present.size()));
    if (entry.empty() || entry == library) continue;
    all.append(all.empty() ? "" : ":").append(entry);
  }
  return all;
}

std::string preload_with(const std::string& library, std::string_view present) {
  const std::string others = preload_without(library, present);
  return others.empty() ? library : others + ":" + library;
}

std::string escape_percent(std::string_view path) {
  std::string escaped;
  for (const char c : path) escaped += c == '%' ? "%%" : std::string(1, c);
  return escaped;
}

Environment::Environment(char** from) {
  for (; *from != nullptr; ++from) entries_.emplace_back(*from);
}

void Environment::set(std::string_view name, std::string_view value) {
  const std::string prefix = std::string(name) + "=";
  std::erase_if(entries_, [&](const std::string& entry) { return entry.starts_with(prefix); });
  entries_.push_back(prefix + std::string(value));
}

char** Environment::pointers() {
  pointers_.clear();
  for (std::string& entry : entries_) pointers_.push_back(entry.data());
  pointers_.push_back(nullptr);
  return pointers_.data();
}

}  // namespace clockshim::cli
