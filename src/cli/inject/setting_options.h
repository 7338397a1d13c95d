// The options of `clockshim run` and `attach`, made from the table of settings. A value that the
// library would refuse is refused here, before anything is started.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "os/setting_table.h"
#include "os/settings.h"

namespace clockshim::cli {

// An option of `run`, with its value if it is given.
struct SettingOption {
  const Setting* setting;
  std::optional<std::string> value{};
};

// One for each setting, without values.
std::vector<SettingOption> setting_options();

// "--depth" for CLOCKSHIM_DEPTH, and its text in --help.
std::string option_name(const Setting& setting);
std::string option_help(const Setting& setting);

// Gives the option its value. A path becomes absolute, because the command may change its
// directory. Returns "", or what would be right in place of the value.
std::string take_value(SettingOption& option, std::string value);

// The settings that the command will find: options take precedence over the environment.
Settings effective_settings(const std::vector<SettingOption>& options);

// The one file in which the report of all processes goes; "": there is none. A path that names the
// process, the program or its start (%p, %e, %t) gives each its own file, and what is no plain file
// is written by each process itself.
std::string file_of_all(const Settings& settings);

// Makes `path` absolute, so that it does not depend on the command's directory. A % in the name of
// our directory is escaped.
std::string absolute_pattern(const std::string& path);

}  // namespace clockshim::cli
