#include "cli/run_settings.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <filesystem>

namespace clockshim::cli {
namespace {

// read_settings() takes a plain function: what it looks into stands here while it runs.
const std::vector<RunOption>* g_options = nullptr;

const char* given(const char* variable) {
  for (const RunOption& option : *g_options) {
    if (std::strcmp(option.variable, variable) == 0 && option.value) return option.value->c_str();
  }
  return nullptr;
}

const char* given_or_inherited(const char* variable) {
  const char* value = given(variable);
  return value != nullptr ? value : getenv(variable);
}

std::string refusal(const RunOption& option, const std::string& why) {
  return std::string(option.name) + " \"" + option.value.value_or("") + "\": " + why;
}

// An option that is given has a value. ONLY and SKIP may be empty: no globs.
std::string empty_problem(const RunOption& option) {
  const std::string_view variable = option.variable;
  if (variable == "CLOCKSHIM_ONLY" || variable == "CLOCKSHIM_SKIP") return "";
  if (variable == "CLOCKSHIM_DIR") return "must be the path of a folder";
  return variable == "CLOCKSHIM_REPORT" ? "must be stderr, none, or a path" : "must have a value";
}

bool is_path(const std::string& report) {
  return !report.empty() && report != "stderr" && report != "none";
}

// What the library would find wrong with a report's path when it starts: the folder has to be there
// and writable.
std::string report_problem(const std::string& pattern) {
  const auto slash = pattern.rfind('/');
  const std::string folder = expand_path(pattern.substr(0, slash + 1), {getpid(), "", "", 0});
  if (slash + 1 == pattern.size())
    return "is a directory; must be stderr, none, or a path of a file";
  if (pattern.substr(0, slash).find('%') != std::string::npos)
    return "";  // known when the command is: the library's to say
  if (access(folder.c_str(), W_OK | X_OK) != 0)
    return "can't be made in " + folder + ": " + std::strerror(errno);
  struct stat info;
  if (pattern.find('%') == std::string::npos && stat(pattern.c_str(), &info) == 0) {
    if (S_ISDIR(info.st_mode)) return "is a directory; must be stderr, none, or a path of a file";
    if (access(pattern.c_str(), W_OK) != 0) return std::strerror(errno);
  }
  return "";
}

bool usable(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) && access(path.c_str(), R_OK) == 0;
}

std::string canonical(const std::string& path) {
  std::error_code error;
  const auto result = std::filesystem::canonical(path, error);
  return error ? path : result.string();
}

}  // namespace

std::string check_options(std::vector<RunOption>& options) {
  for (RunOption& option : options) {
    if (!option.value) continue;
    const bool report = std::strcmp(option.variable, "CLOCKSHIM_REPORT") == 0;
    const bool folder = std::strcmp(option.variable, "CLOCKSHIM_DIR") == 0;
    if (option.value->empty()) {
      if (const std::string why = empty_problem(option); !why.empty()) return refusal(option, why);
    }
    if (folder || (report && is_path(*option.value)))
      option.value = report ? absolute_pattern(*option.value)
                            : std::filesystem::absolute(*option.value).string();
    if (!report || !is_path(*option.value)) continue;
    const std::string problem = report_problem(*option.value);
    if (!problem.empty()) return refusal(option, problem);
  }
  g_options = &options;
  const Settings settings = read_settings(given);
  g_options = nullptr;
  if (settings.serving_errors.empty() && settings.observing_errors.empty()) return "";
  // The library's own words, with the option's name in place of the variable's.
  const std::string& error =
      (settings.serving_errors.empty() ? settings.observing_errors : settings.serving_errors)
          .front();
  for (const RunOption& option : options) {
    const std::string prefix = std::string(option.variable) + "=";
    if (error.starts_with(prefix))
      return std::string(option.name) + " " + error.substr(prefix.size());
  }
  return error;
}

Settings effective_settings(const std::vector<RunOption>& options) {
  g_options = &options;
  Settings settings = read_settings(given_or_inherited);
  g_options = nullptr;
  return settings;
}

std::string find_library(const std::string& executable, const char* named, std::string& problem) {
  if (named != nullptr && *named != '\0') {
    if (usable(named)) return canonical(named);
    problem = "CLOCKSHIM_LIBRARY=\"" + std::string(named) + "\": no library there that can be read";
    return "";
  }
  // Beside the command and one up: the build tree. The others: where it is installed.
  const std::string here = executable.substr(0, executable.rfind('/') + 1);
  std::string places;
  for (const char* place : {"", "../", "../lib/x86_64-linux-gnu/", "../lib/"}) {
    const std::string folder = std::filesystem::path(here + place).lexically_normal().string();
    if (usable(folder + "libclockshim.so")) return canonical(folder + "libclockshim.so");
    places += (places.empty() ? "" : ", ") + folder;
  }
  problem =
      "libclockshim.so is in none of " + places + "; CLOCKSHIM_LIBRARY=PATH names another place";
  return "";
}

std::string preload_with(const std::string& library, std::string_view present) {
  std::string all;
  while (!present.empty()) {
    const auto end = std::min(present.find_first_of(" :"), present.size());
    const std::string_view entry = present.substr(0, end);
    present.remove_prefix(std::min(end + 1, present.size()));
    if (!entry.empty() && entry != library) all += std::string(entry) + ":";
  }
  return all + library;
}

std::string escape_percent(std::string_view path) {
  std::string escaped;
  for (const char c : path) escaped += c == '%' ? "%%" : std::string(1, c);
  return escaped;
}

std::string absolute_pattern(const std::string& path) {
  if (path.starts_with('/')) return path;
  std::error_code error;
  const auto here = std::filesystem::current_path(error);
  return error ? path : escape_percent(here.string()) + "/" + path;
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
