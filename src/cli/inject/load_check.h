// Did the shim get in? Looks into the command's memory map shortly after exec, less and less often,
// for about a second: the loader maps the library within the first milliseconds. Never stops or
// traces the command.
#pragma once

#include <sys/types.h>

#include <ctime>
#include <string>

#include "os/settings.h"

namespace clockshim::cli {

class LoadCheck {
 public:
  // `library`: its canonical path, or "" where nothing is expected. `name`: what the command is
  // called in a warning.
  LoadCheck(std::string library, std::string name, LogLevel limit);

  // Whether there is nothing more to wait for.
  [[nodiscard]] bool settled() const { return settled_; }

  // How long to wait until the next look().
  [[nodiscard]] timespec patience() const;

  // The last look that does not find the library warns, in one line.
  void look(pid_t pid);

 private:
  std::string library_;
  std::string name_;
  LogLevel limit_;
  long wait_ms_ = 1;
  bool settled_;
};

enum class Mapped { yes, no, unknown };

// Whether a file of this path is in the process's memory map. unknown: the map can't be read
// (another user's, or gone).
Mapped is_mapped(pid_t pid, const std::string& path);

}  // namespace clockshim::cli
