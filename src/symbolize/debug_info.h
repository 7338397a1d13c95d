// The symbols and debug information of one module, read with elfutils' libdwfl, which
// debug_info.cpp alone includes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "symbolize/imported_calls.h"

namespace clockshim {

class DebugInfo {
 public:
  // Null: elfutils can't read the file. Its debug information is only looked for at the first name.
  static std::unique_ptr<DebugInfo> open(const std::string& path);
  ~DebugInfo();
  DebugInfo(const DebugInfo&) = delete;
  DebugInfo& operator=(const DebugInfo&) = delete;

  [[nodiscard]] const std::string& build_id() const {
    return build_id_;
  }  // in hexadecimal; "": it has none

  struct Function {
    std::string name;  // demangled; "" if unknown
    std::string file;
    std::uint32_t line = 0;
    std::uint64_t offset = 0;  // from the function's start; 0 for an inlined one
    bool inlined = false;
  };
  // The functions at an address (as addr2line counts), innermost first. All but the last are
  // inlined.
  std::vector<Function> at(std::uint64_t address);
  // The module's code, to find out which functions of other modules it calls.
  const ImportedCalls& code();

 private:
  struct Handles;
  explicit DebugInfo(std::unique_ptr<Handles> handles);

  std::unique_ptr<Handles> handles_;
  std::string build_id_;
};

}  // namespace clockshim
