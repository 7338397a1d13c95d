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

// Checks the options that are given. Paths become absolute: the command may change its directory.
// Returns "", or one line that names the first bad option, its value, and what would be right.
std::string check_options(std::vector<RunOption>& options);

// The settings as the command will find them: the options before the environment.
Settings effective_settings(const std::vector<RunOption>& options);

// `path` as it is seen from here, whatever directory the command is in later. The folder we are in
// may have a % in its name, which stays one.
std::string absolute_pattern(const std::string& path);

}  // namespace clockshim::cli
