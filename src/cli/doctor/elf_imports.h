// What an ELF file imports, by its dynamic symbols, whether it is a Go program, and whether it goes
// past the C library's clock functions. Reads the file; runs nothing.
#pragma once

#include <string>
#include <vector>

namespace clockshim::cli {

struct ElfImports {
  bool readable = false;           // it is a 64-bit ELF file with the tables that are needed
  bool go = false;                 // it has Go's build-id note
  std::vector<std::string> names;  // undefined dynamic symbols
  bool clock_by_syscall = false;   // it calls syscall() with the number of a clock's system call
  bool names_vdso_clock = false;   // it has the name of one of the vDSO's clock functions
  [[nodiscard]] bool imports(const std::string& name) const;
};

ElfImports read_imports(const std::string& path);

}  // namespace clockshim::cli
