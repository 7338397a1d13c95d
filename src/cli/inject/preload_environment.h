// The environment in which the dynamic loader puts the library into a program: where
// libclockshim.so is, LD_PRELOAD, and the variables of an exec.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace clockshim::cli {

// The canonical path of libclockshim.so: CLOCKSHIM_LIBRARY, else by the places around the
// executable. On failure "", and `problem` says where it was looked for.
std::string find_library(const std::string& executable, const char* named, std::string& problem);

// LD_PRELOAD with the library last. A sanitizer's runtime has to be first, and a library that gives
// the program another time (libfaketime) has to be asked before us: then it asks us for the real
// one.
std::string preload_with(const std::string& library, std::string_view present);

// A path for a setting in which % stands for something: each % doubled.
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
