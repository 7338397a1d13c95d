#include "cli/inject/proc_files.h"

#include <elf.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <sstream>

#include "os/read_file.h"

namespace clockshim::cli {

bool proc_is_ours() {
  std::error_code unknown;
  return std::filesystem::read_symlink("/proc/self", unknown) == std::to_string(getpid());
}

std::string proc_file(pid_t pid, const std::string& name) {
  return "/proc/" + std::to_string(pid) + "/" + name;
}

std::string status_line(const std::string& path, const std::string& name) {
  std::istringstream lines(content_of(path));
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(name + ":\t")) return line.substr(name.size() + 2);
  }
  return "";
}

std::string status_line(pid_t pid, const std::string& name) {
  return status_line(proc_file(pid, "status"), name);
}

long last_number(const std::string& line) {
  const std::string last = line.substr(line.find_last_of(" \t") + 1);
  char* end = nullptr;
  const long number = std::strtol(last.c_str(), &end, 10);
  return end == last.c_str() ? -1 : number;
}

std::uint64_t auxiliary_value(const std::string& auxv, std::uint64_t type) {
  for (std::size_t at = 0; at + sizeof(Elf64_auxv_t) <= auxv.size(); at += sizeof(Elf64_auxv_t)) {
    Elf64_auxv_t entry;
    std::memcpy(&entry, auxv.data() + at, sizeof entry);
    if (entry.a_type == type) return entry.a_un.a_val;
  }
  return 0;
}

// The name may have anything in it, up to the last parenthesis.
StatFile::StatFile(const std::string& path) {
  constexpr std::size_t kFieldsKnown = 20;
  constexpr std::size_t kFirstField = 3;
  const std::string stat = content_of(path);
  const std::size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos) return;
  std::istringstream behind(stat.substr(name_end + 1));
  words_.assign(std::istream_iterator<std::string>(behind), {});
  if (words_.size() + kFirstField <= kFieldsKnown) words_.clear();
}

long StatFile::number(std::size_t field) const {
  constexpr std::size_t kFirstField = 3;
  return std::strtol(words_[field - kFirstField].c_str(), nullptr, 10);
}

std::vector<std::string> task_folders(pid_t pid) {
  std::vector<std::string> out;
  std::error_code unknown;
  for (const auto& task : std::filesystem::directory_iterator(proc_file(pid, "task"), unknown))
    out.push_back(task.path().string());
  return out;
}

}  // namespace clockshim::cli
