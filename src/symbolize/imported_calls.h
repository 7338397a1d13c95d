// Finds out which functions of other modules a piece of a module's machine code calls, from the
// module's file. For x86-64 only. It is no disassembler: a direct call names its target exactly,
// and the file's relocations say that this is an import's stub (or that a call goes through an
// import's slot, -fno-plt). Bytes that only look like such a call would have to match one of a few
// addresses out of 2^32.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

struct Elf;  // libelf's

namespace clockshim {

class ImportedCalls {
 public:
  explicit ImportedCalls(Elf* elf);

  // The function around an address, [start, end), by the unwind tables, so it needs no symbols.
  // Both 0: unknown.
  struct Bounds {
    std::uint64_t start = 0;
    std::uint64_t end = 0;
  };
  [[nodiscard]] Bounds function_at(std::uint64_t address) const;
  // The names, without version, of imported functions that are called or jumped to in this range,
  // in the order of the code. Addresses are the file's.
  [[nodiscard]] std::vector<std::string> between(Bounds range) const;

 private:
  Elf* elf_;
  std::vector<std::uint64_t> starts_;           // start addresses of functions, ascending
  std::map<std::uint64_t, std::string> slots_;  // by slot of the global offset table
  std::map<std::uint64_t, std::string> stubs_;  // by stub of the procedure linkage table
};

}  // namespace clockshim
