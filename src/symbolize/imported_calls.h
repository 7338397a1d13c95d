// Which functions of other modules a piece of a module's machine code calls, read from its file.
// x86-64 only: no disassembler, but a direct call names its target exactly, and that this is an
// import's stub (or a call through an import's slot, -fno-plt) is in the file's relocations. Bytes
// that look like such a call and are none would have to hit one of a few addresses of 2^32.
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

  // The function around an address, as the unwind tables have it, so without symbols too: [start,
  // end). Both 0: none is known.
  struct Bounds {
    std::uint64_t start = 0;
    std::uint64_t end = 0;
  };
  [[nodiscard]] Bounds function_at(std::uint64_t address) const;
  // Names, without version, of what is called or jumped to from there, in the order of the code.
  // Addresses are the file's.
  [[nodiscard]] std::vector<std::string> between(Bounds range) const;

 private:
  Elf* elf_;
  std::vector<std::uint64_t> starts_;           // of functions, ascending
  std::map<std::uint64_t, std::string> slots_;  // of the global offset table
  std::map<std::uint64_t, std::string> stubs_;  // of the procedure linkage table
};

}  // namespace clockshim
