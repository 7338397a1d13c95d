// The symbol table (.symtab) of the running executable's file: names that the loader does not map,
// those of functions linked statically among them. At start only: opens a file, and maps it while
// the object lives.
#pragma once

#include <elf.h>

#include <cstdint>
#include <span>

namespace clockshim {

class ExecutableSymbols {
 public:
  // Empty where there is none (stripped), where symbols and names are more than `most_bytes`, or
  // where /proc/self/exe is not the program that runs (started as `ld.so PROGRAM`). Without a
  // .symtab that costs three system calls.
  explicit ExecutableSymbols(std::size_t most_bytes) noexcept;
  ~ExecutableSymbols();
  ExecutableSymbols(const ExecutableSymbols&) = delete;
  ExecutableSymbols& operator=(const ExecutableSymbols&) = delete;

  [[nodiscard]] std::span<const Elf64_Sym> all() const { return symbols_; }
  [[nodiscard]] const char* name_of(const Elf64_Sym& symbol) const {
    return symbol.st_name < names_size_ ? names_ + symbol.st_name : "";
  }
  // What an address in the file has to be raised by.
  [[nodiscard]] std::uintptr_t load_bias() const { return load_bias_; }

 private:
  bool map_sections(int file, const Elf64_Shdr& symbols, const Elf64_Shdr& names,
                    std::size_t most_bytes) noexcept;

  void* map_ = nullptr;
  std::size_t map_size_ = 0;
  std::span<const Elf64_Sym> symbols_;
  const char* names_ = "";
  std::size_t names_size_ = 0;
  std::uintptr_t load_bias_ = 0;
};

}  // namespace clockshim
