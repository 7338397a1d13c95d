// Where live files are looked for. A process's files stand in the folder of the user that it ran as
// when it began to count: a daemon that root starts may have its workers' files in other folders
// than its own.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace clockshim::cli {

using Folders = std::vector<std::string>;

// `named` (--dir) alone, where it is not ""; else CLOCKSHIM_DIR alone, where it is set; else those
// of all users that we may read, our own first, whether it is there or not: for root all, for
// others their own.
Folders live_folders(const std::string& named = "");
// The same, and that of the user whom the process belongs to.
Folders live_folders_of(long pid);

// Those that stand in `parent`: folders called clockshim-UID that belong to UID and can be read.
// `own`: the first.
Folders folders_in(const std::string& parent, uid_t own);

// For a message: "A", "A and B", "A, B and C".
std::string in_words(const Folders& folders);

}  // namespace clockshim::cli
