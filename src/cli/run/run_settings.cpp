#include "cli/run/run_settings.h"
#include "cli/inject/preload_environment.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "os/report_path.h"

namespace clockshim::cli {
namespace {

const char* given(const std::vector<RunOption>& options, const char* variable) {
  for (const RunOption& option : options) {
    if (std::strcmp(option.variable, variable) == 0 && option.value) return option.value->c_str();
  }
  return nullptr;
}

std::string refusal(const RunOption& option, const std::string& why) {
  return std::string(option.name) + " \"" + option.value.value_or("") + "\": " + why;
}

// An option that is given must have a value. ONLY and SKIP may be empty: no globs.
std::string empty_problem(const RunOption& option) {
  const std::string_view variable = option.variable;
  if (variable == "CLOCKSHIM_ONLY" || variable == "CLOCKSHIM_SKIP") return "";
  if (variable == "CLOCKSHIM_DIR") return "must be the path of a folder";
  return variable == "CLOCKSHIM_REPORT" ? "must be stderr, none, or a path" : "must have a value";
}

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

}  // namespace

std::string check_options(std::vector<RunOption>& options) {
  for (RunOption& option : options) {
    if (!option.value) continue;
    const bool report = std::strcmp(option.variable, "CLOCKSHIM_REPORT") == 0;
    const bool folder = std::strcmp(option.variable, "CLOCKSHIM_DIR") == 0;
    if (option.value->empty()) {
      if (const std::string why = empty_problem(option); !why.empty()) return refusal(option, why);
    }
    if (folder || (report && report_is_path(*option.value)))
      option.value = report ? absolute_pattern(*option.value)
                            : std::filesystem::absolute(*option.value).string();
    if (!report || !report_is_path(*option.value)) continue;
    const std::string problem = pattern_problem(*option.value);
    if (!problem.empty()) return refusal(option, problem);
  }
  const Settings settings =
      read_settings([&](const char* variable) { return given(options, variable); });
  if (settings.serving_errors.empty() && settings.observing_errors.empty()) return "";
  // Use the library's message, with the option's name in place of the variable's.
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
  return read_settings([&](const char* variable) {
    const char* const value = given(options, variable);
    return value != nullptr ? value : getenv(variable);
  });
}

std::string absolute_pattern(const std::string& path) {
  if (path.starts_with('/')) return path;
  std::error_code error;
  const auto here = std::filesystem::current_path(error);
  return error ? path : escape_percent(here.string()) + "/" + path;
}

}  // namespace clockshim::cli
