// `clockshim diff`: shows what changed between two runs, by caller and clock.
#pragma once

namespace clockshim::cli {

class CommandLine;

// Exit status: 0; 2: a file can't be read.
void add_diff_command(CommandLine& line);

}  // namespace clockshim::cli
