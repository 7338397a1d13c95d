// `clockshim attach` and `clockshim detach`.
#pragma once

namespace clockshim::cli {

class CommandLine;

void add_attach_command(CommandLine& line);
void add_detach_command(CommandLine& line);

}  // namespace clockshim::cli
