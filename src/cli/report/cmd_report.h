// `clockshim report`: shows the callers of clocks, of processes or from files, in the formats of
// formats/formats.h.
#pragma once

namespace clockshim::cli {

class CommandLine;

// Exit status: 0; 2: an error, which was logged in one line.
void add_report_command(CommandLine& line);

}  // namespace clockshim::cli
