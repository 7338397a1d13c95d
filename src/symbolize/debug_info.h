// One module's symbols and debug information, through elfutils' libdwfl, which debug_info.cpp alone
// includes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "symbolize/imported_calls.h"

namespace clockshim {

class DebugInfo {
 public:
  // Null where the file is none that elfutils can read. Its own debug information is looked for
  // when the first name is asked for.
  static std::unique_ptr<DebugInfo> open(const std::string& path);
  ~DebugInfo();
  DebugInfo(const DebugInfo&) = delete;
  DebugInfo& operator=(const DebugInfo&) = delete;

  [[nodiscard]] const std::string& build_id() const {
    return build_id_;
  }  // in hexadecimal; "": it has none

  struct Function {
    std::string name;  // demangled; "" where none is known
    std::string file;
    std::uint32_t line = 0;
    std::uint64_t offset = 0;  // behind the function's start; 0 for an inlined one
    bool inlined = false;
  };
  // The functions that stand at an address (as addr2line counts), innermost first. The last is the
  // one that is not inlined.
  std::vector<Function> at(std::uint64_t address);
  // The module's code: which function calls what of other modules.
  const ImportedCalls& code();

 private:
  struct Handles;
  explicit DebugInfo(std::unique_ptr<Handles> handles);

  std::unique_ptr<Handles> handles_;
  std::string build_id_;
};

}  // namespace clockshim
