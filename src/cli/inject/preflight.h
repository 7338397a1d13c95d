// Predicts whether the shim can be loaded. Examines the file that a command stands for before it is
// started, and says why the loader would not (or could not) load the library into it. It decides
// nothing and logs nothing.
#pragma once

#include <string>

namespace clockshim::cli {

struct Preflight {
  std::string path;     // the file that exec will find; "": none
  bool there = false;   // the file exists, but it may not be executable
  std::string problem;  // "is statically linked", "'s interpreter /x is statically linked"; "" if
                        // the shim can be loaded
  bool takes_image = false;  // the image can be put in (cli/inject/image_injection.h)
  bool dynamic = false;      // a loader has to map its libraries first
  bool hands_on = false;     // it takes no notice of a preload, and may have one for what it
                             // executes: it is static, and no program of musl is to be expected,
                             // which would not start under it
  int execs = 1;             // until it is that program: env(1), which a script may name, has one
  std::string
      missing_interpreter;  // the interpreter of the script or the program, if that does not exist
};

// Finds the file as execvp(3) does: by PATH if the name has no slash. Follows the interpreter of a
// script, also through env. What can't be read or understood counts as good: exec, or LoadCheck,
// will find out.
Preflight inspect_command(const std::string& name);

// The same for one file, without following interpreters: its problem, and whether the image can be
// put in where it has one.
std::string problem_of_program(const std::string& path);
bool takes_image_instead(const std::string& path);

}  // namespace clockshim::cli
