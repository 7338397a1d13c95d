// A file that is there as a whole or not at all: a collector may read it at any moment.
#pragma once

#include <string>

namespace clockshim::cli {

// Writes beside the file, then puts that in its place, with the mode that the file had, or a new
// file gets. What is no plain file (a pipe, a terminal) is written to. 0, or the errno.
int write_file(const std::string& path, const std::string& content);

}  // namespace clockshim::cli
