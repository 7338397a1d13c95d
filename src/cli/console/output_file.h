// Writes a file so that it exists as a whole or not at all, because a collector may read it at any
// moment.
#pragma once

#include <string>

namespace clockshim::cli {

// Writes a temporary file next to it and renames that, with the mode that the file had, or that a
// new file gets. If the path is not a plain file (a pipe, a terminal), it is written directly.
// Returns 0, or the errno.
int write_file(const std::string& path, const std::string& content);

}  // namespace clockshim::cli
