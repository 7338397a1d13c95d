// Puts the image into a process that runs, and takes it out of the way again. The process stands
// still meanwhile, for milliseconds; nothing of it is ever half done.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>

#include "os/settings.h"

namespace clockshim::cli {

struct AttachResult {
  bool done = false;
  bool again = false;    // not now: one of its threads did not stop, say
  bool already = false;  // it is as it was to become: served, or not
  bool gone = false;     // there is no such process, or no longer
  // Why not: "it is traced by gdb[12]". If it is done: the mode that it is served in.
  std::string words{};
  std::string reason{};     // of the mode
  std::string uncounted{};  // why its counts can't be told; "": they can
  std::chrono::nanoseconds stopped{};
};

// Each is done by a process of its own, which may enter the process's namespaces, and at whose end
// the kernel lets go of whatever it still traces.
AttachResult attach(pid_t pid, const Settings& settings);
AttachResult detach(pid_t pid);

}  // namespace clockshim::cli
