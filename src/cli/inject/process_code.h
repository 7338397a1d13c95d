// The code of a process that stands behind its exec, as the image has to know it.
#pragma once

#include <sys/types.h>

#include <string>

#include "image/contract.h"

namespace clockshim::cli {

// Writes down the files that are mapped into the process, and the wrappers in them. `executable` is
// what it executes, by its path: that may have been removed or replaced meanwhile, so it is read as
// the process has it.
void describe_code(pid_t pid, const std::string& executable, ImageSettings& settings);

}  // namespace clockshim::cli
