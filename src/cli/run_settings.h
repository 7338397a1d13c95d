// What `clockshim run` puts into the command's environment: where the library is, LD_PRELOAD, the
// CLOCKSHIM_* settings. A value that the library would refuse is refused here, before anything is
// started.
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

// The canonical path of libclockshim.so: CLOCKSHIM_LIBRARY, else by the places around the
// executable. On failure "", and `problem` says where it was looked for.
std::string find_library(const std::string& executable, const char* named, std::string& problem);

// LD_PRELOAD with the library last. A sanitizer's runtime has to be first, and a library that gives
// the program another time (libfaketime) has to be asked before us: then it asks us for the real
// one.
std::string preload_with(const std::string& library, std::string_view present);

// `path` as it is seen from here, whatever directory the command is in later. The folder we are in
// may have a % in its name, which stays one.
std::string absolute_pattern(const std::string& path);

// A path for a setting in which % stands for something: each % doubled.
std::string escape_percent(std::string_view path);

// An environment for exec.
class Environment {
 public:
  explicit Environment(char** from);
  void set(std::string_view name, std::string_view value);
  // Null-terminated; valid until the next set().
  [[nodiscard]] char** pointers();

 private:
  std::vector<std::string> entries_;
  std::vector<char*> pointers_;
};

}  // namespace clockshim::cli
