// `clockshim gc`: removes the live files of processes that are gone, and nothing else.
#pragma once

namespace clockshim::cli {

class CommandLine;

// Exit status: 0, or 1 if a file of a process that is gone could not be removed.
void add_gc_command(CommandLine& line);

}  // namespace clockshim::cli
