// `clockshim bench`: a table of what each clock costs here, bare, as a system call and under the
// shim.
#pragma once

namespace clockshim::cli {

class CommandLine;

// Exit status: 0; 1: a clock stepped backward, or the shim could not be measured; 2: an error.
void add_bench_command(CommandLine& line);

}  // namespace clockshim::cli
