// The code of a process, as the image has to know it.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "cli/inject/image_in_process.h"
#include "cli/inject/memory_map.h"
#include "image/contract.h"

namespace clockshim::cli {

// Writes down the files that are mapped into the process, and the wrappers in them. `executable` is
// what it executes, by its path: that may have been removed or replaced meanwhile, so it is read as
// the process has it. Returns "", or why it can't be told what the image would do to it.
std::string describe_code(pid_t pid, const std::string& executable, ImageSettings& settings);

// Whether the library is in it, by the name of its file or by what it counts in. `images` are those
// that it has.
bool has_library(pid_t pid, const std::vector<MappedRange>& map, const FoundImages& images);

}  // namespace clockshim::cli
