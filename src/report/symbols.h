// Names for addresses, from the symbol tables of ELF files on disk: the module's own, and the separate debug file that a
// -dbgsym package installs (found by build-id). At exit or out of process only: opens and maps files, allocates.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace clockshim {

struct SymbolName {
  std::string name;  // demangled; "" where none is known
  std::uint64_t offset = 0;
};

class Symbols {
 public:
  // The function at this offset of the module (as addr2line counts). Reads each file once.
  SymbolName at(const std::string& module_path, std::uint64_t offset);

 private:
  struct Entry {
    std::uint64_t start;
    std::uint64_t size;
    std::string name;  // as in the file, mangled
  };
  using Table = std::vector<Entry>;  // by start

  static Table load(const std::string& path);
  static void read_file(const std::string& path, Table& out, std::string* build_id);

  std::map<std::string, Table> tables_;
};

}  // namespace clockshim
