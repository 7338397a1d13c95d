// Standard output. All that a command prints goes through print(), and CommandLine::run() ends by
// finish_output(): so no command can take a full disk for success.
#pragma once

#include <string>

namespace clockshim::cli {

// Writes all of it. False: it failed, now or before, and nothing more will be written. A command
// that prints again and again ends then; others need not look.
bool print(const std::string& text);

// Closes standard output, if anything was printed, because some file systems report only then that
// they are full. Returns 0, or the errno of the first failure. A reader that has left (EPIPE) is
// none: it has what it wanted.
int finish_output();

}  // namespace clockshim::cli
