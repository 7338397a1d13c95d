// The options of `clockshim run` as CLOCKSHIM_* settings. A value that the library would refuse is
// refused here, before anything is started.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "os/settings.h"

namespace clockshim::cli {

// An option of `run` and the setting that it stands for.
struct RunOption {
  const char* name;      // "--tolerance"
  const char* variable;  // "CLOCKSHIM_TOLERANCE"
  std::optional<std::string> value{};
};

// Checks the options that are given. Paths become absolute, because the command may change its
// directory. Returns "", or one line that names the first bad option, its value, and what would be
// right.
std::string check_options(std::vector<RunOption>& options);

// The settings that the command will find: options take precedence over the environment.
Settings effective_settings(const std::vector<RunOption>& options);

// Makes `path` absolute, so that it does not depend on the command's directory. A % in the name of
// our directory is escaped.
std::string absolute_pattern(const std::string& path);

}  // namespace clockshim::cli
