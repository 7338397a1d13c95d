// Go's own table of functions (.gopclntab), which a program keeps when it is stripped: its runtime
// needs it. The layouts of Go 1.16, 1.18 and 1.20, which are in use to this day (Go's source,
// debug/gosym/pclntab.go).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

struct Elf;

namespace clockshim {

struct GoFunction {
  std::uint64_t start;  // as addr2line counts addresses
  std::uint64_t end;    // where the next one begins
  std::string name;     // "time.Now"
};

// All functions, in the order of their addresses. Empty: it is no Go program, or of a layout that
// is not known. Whatever is in the file, nothing outside of the table is read.
std::vector<GoFunction> read_go_functions(Elf* elf);

// Whether it has such a table, of whatever layout.
bool has_go_functions(Elf* elf);

}  // namespace clockshim
