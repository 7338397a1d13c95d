// `clockshim top`: shows who reads clocks now, and how often. On a terminal it is a screen that is
// updated, else a table.
#pragma once

namespace clockshim::cli {

class CommandLine;

// Exit status: 0; 2: a bad option, or there is no such process.
void add_top_command(CommandLine& line);

}  // namespace clockshim::cli
