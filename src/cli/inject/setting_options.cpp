#include "cli/inject/setting_options.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <sstream>
#include <string_view>

#include "cli/console/nearest.h"
#include "cli/inject/preload_environment.h"
#include "os/report_path.h"

namespace clockshim::cli {
namespace {

// What the library would find wrong with a report's path at its start. What of it is not known
// before the command runs, the library will check.
std::string pattern_problem(const std::string& pattern) {
  const auto slash = pattern.rfind('/');
  const std::string folder = expand_path(pattern.substr(0, slash + 1), {getpid(), "", "", 0});
  if (slash + 1 == pattern.size()) return kReportPathIsDirectory;
  if (pattern.substr(0, slash).find('%') != std::string::npos) return "";
  const bool known = pattern.find('%') == std::string::npos;
  return report_path_problem(known ? pattern : "", folder);
}

// What the library would say of the value: its message, without setting and value.
std::string problem_in_library(const Setting& setting, const std::string& value) {
  const Settings settings = read_settings([&](const char* variable) {
    return std::strcmp(variable, setting.variable) == 0 ? value.c_str() : nullptr;
  });
  for (const auto* errors : {&settings.serving_errors, &settings.observing_errors}) {
    if (!errors->empty())
      return errors->front().substr(std::strlen(setting.variable) + value.size() +
                                    std::strlen("=\"\": "));
  }
  return "";
}

// The library takes an empty variable for unset. An option that is given must have a value, but no
// globs are globs, too.
std::string problem_if_empty(SettingId id) {
  switch (id) {
    case SettingId::only:
    case SettingId::skip: return "";
    case SettingId::dir: return "must be the path of a folder";
    case SettingId::report: return "must be stderr, none, or a path";
    default: return "must have a value";
  }
}

// The words that the setting takes, where it takes words.
std::vector<std::string> words_of(const Setting& setting) {
  std::istringstream words(setting.id == SettingId::profile ? "off sites stacks" : setting.words);
  return {std::istream_iterator<std::string>(words), {}};
}

std::string without_markup(std::string text) {
  std::erase(text, '`');
  return text;
}

}  // namespace

std::vector<SettingOption> setting_options() {
  std::vector<SettingOption> options;
  for (const Setting& setting : kSettings) options.push_back({&setting});
  return options;
}

std::string option_name(const Setting& setting) {
  std::string name = setting.variable + std::strlen("CLOCKSHIM_");
  for (char& c : name) c = static_cast<char>(c - 'A' + 'a');
  return "--" + name;
}

std::string option_help(const Setting& setting) {
  std::string values = setting.values;
  for (const char* c = setting.words; *c != '\0'; ++c)
    values += *c == ' ' ? ", " : std::string(1, *c);
  const std::string_view usual = setting.usual;
  if (usual != "unset") values += " (default " + std::string(usual) + ")";
  return without_markup(values + ": " + setting.meaning);
}

std::string take_value(SettingOption& option, std::string value) {
  const SettingId id = option.setting->id;
  std::string problem;
  if (value.empty()) {
    problem = problem_if_empty(id);
  } else if (id == SettingId::report && report_is_path(value)) {
    value = absolute_pattern(value);
    problem = pattern_problem(value);
  } else {
    if (id == SettingId::dir) value = std::filesystem::absolute(value).string();
    problem = problem_in_library(*option.setting, value);
    if (!problem.empty()) problem += did_you_mean(value, words_of(*option.setting));
  }
  option.value = std::move(value);
  return problem;
}

Settings effective_settings(const std::vector<SettingOption>& options) {
  return read_settings([&](const char* variable) -> const char* {
    for (const SettingOption& option : options) {
      if (option.value && std::strcmp(option.setting->variable, variable) == 0)
        return option.value->c_str();
    }
    return getenv(variable);
  });
}

std::string file_of_all(const Settings& settings) {
  if (!report_is_path(settings.report)) return "";
  char host[256] = "unknown";
  gethostname(host, sizeof host - 1);
  const std::string pattern = absolute_pattern(settings.report);
  // Two that differ in whatever two processes may differ in.
  const std::string path = expand_path(pattern, {1, "a", host, 1});
  std::error_code error;
  const bool one_file = path == expand_path(pattern, {2, "b", host, 2});
  // A device takes one report as a file does; but not if it is /dev/stdout, which run lets go of
  // before. What reads a FIFO may want a report of each process.
  const bool takes_one = std::filesystem::is_regular_file(path, error) ||
                         (std::filesystem::is_character_file(path, error) &&
                          !std::filesystem::is_symlink(path, error)) ||
                         !std::filesystem::exists(std::filesystem::symlink_status(path, error));
  return one_file && takes_one && pattern_problem(pattern).empty() ? path : "";
}

std::string absolute_pattern(const std::string& path) {
  if (path.starts_with('/')) return path;
  std::error_code error;
  const auto here = std::filesystem::current_path(error);
  return error ? path : escape_percent(here.string()) + "/" + path;
}

}  // namespace clockshim::cli
