// `clockshim list`: lists the processes that have a live file.
#pragma once

namespace clockshim::cli {

class CommandLine;

// Exit status: 0, even if there are none.
void add_list_command(CommandLine& line);

}  // namespace clockshim::cli
