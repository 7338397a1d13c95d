// What an ELF file asks of others, by its dynamic symbols, and whether it is a Go program. Reads
// the file; runs nothing.
#pragma once

#include <string>
#include <vector>

namespace clockshim::cli {

struct ElfImports {
  bool readable = false;           // a 64-bit ELF file with what is needed to tell
  bool go = false;                 // has Go's build-id note
  std::vector<std::string> names;  // undefined dynamic symbols
  [[nodiscard]] bool imports(const std::string& name) const;
};

ElfImports read_imports(const std::string& path);

}  // namespace clockshim::cli
