// The environment with which the dynamic loader loads the library into a program: the place of
// libclockshim.so, LD_PRELOAD, and the variables of an exec.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace clockshim::cli {

// The canonical path of libclockshim.so: from CLOCKSHIM_LIBRARY (`named`), else from the places
// around the executable. On failure "", and `problem` lists where it was looked for.
std::string find_library(const std::string& executable, const char* named, std::string& problem);

// The value of LD_PRELOAD, with the library last. A sanitizer's runtime has to be first, and a
// library that gives the program another time (libfaketime) has to come before us, so that it gets
// the real time from us.
std::string preload_with(const std::string& library, std::string_view present);
// The value without the library, for a program that is not to have it.
std::string preload_without(const std::string& library, std::string_view present);

// Escapes a path for a setting in which % has a meaning: doubles each %.
std::string escape_percent(std::string_view path);

// An environment for exec.
class Environment {
 public:
  explicit Environment(char** from);
  void set(std::string_view name, std::string_view value);
  // Null-terminated; valid until the next set().
  [[nodiscard]] char** pointers();

 private:
  std::vector<std::string> entries_;
  std::vector<char*> pointers_;
};

}  // namespace clockshim::cli
