// What an ELF file imports, by its dynamic symbols, and whether it is a Go program. Reads the file;
// runs nothing.
#pragma once

#include <string>
#include <vector>

namespace clockshim::cli {

struct ElfImports {
  bool readable = false;           // it is a 64-bit ELF file with the tables that are needed
  bool go = false;                 // it has Go's build-id note
  std::vector<std::string> names;  // undefined dynamic symbols
  [[nodiscard]] bool imports(const std::string& name) const;
};

ElfImports read_imports(const std::string& path);

}  // namespace clockshim::cli
