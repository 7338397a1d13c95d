// Checks whether the shim was loaded into the command. It looks at the command's memory map shortly
// after exec, less and less often, for about a second: the loader maps the library within the first
// milliseconds. It never stops or traces the command.
#pragma once

#include <sys/types.h>

#include <ctime>
#include <string>

#include "os/settings.h"

namespace clockshim::cli {

class LoadCheck {
 public:
  // `library` is its canonical path, or "" if it is not expected. `name` is the command's name in a
  // warning.
  LoadCheck(std::string library, std::string name, LogLevel limit);

  // Whether there is nothing left to wait for.
  [[nodiscard]] bool settled() const { return settled_; }

  // The time to wait until the next look().
  [[nodiscard]] timespec patience() const;

  // Looks once. If the last look does not find the library, it logs a warning of one line.
  void look(pid_t pid);

 private:
  std::string library_;
  std::string name_;
  LogLevel limit_;
  long wait_ms_ = 1;
  bool settled_;
};

enum class Mapped { yes, no, unknown };

// Whether a file of this name is in the process's memory map. unknown: the map can't be read
// (another user's process, or it has ended).
Mapped is_mapped(pid_t pid, const std::string& path);

}  // namespace clockshim::cli
