// Will the shim take? Looks at the file that a command stands for before it is started, and says
// why the loader would not (or could not) put the library into it. Decides nothing and says nothing
// itself.
#pragma once

#include <string>

namespace clockshim::cli {

struct Preflight {
  std::string path;     // the file that exec will find; "" where it finds none
  bool there = false;   // whether there is such a file, though it may not be executable
  std::string problem;  // "is statically linked", "'s interpreter /x is statically linked"; ""
                        // where nothing speaks against it
  std::string
      missing_interpreter;  // the script's or the program's interpreter, where it isn't there
};

// As execvp(3) finds it: by PATH where the name has no slash. A script's interpreter is followed,
// also through env. What can't be read or understood passes: exec, or the look into the running
// process, will tell.
Preflight inspect_command(const std::string& name);

// The same for one file, of which no interpreter is followed.
std::string problem_of_program(const std::string& path);

}  // namespace clockshim::cli
