// The symbol table (.symtab) of the running executable's file. It has names that the loader does
// not map, such as those of functions linked statically. At start only: it opens the file, and maps
// it while the object lives.
#pragma once

#include <elf.h>

#include <cstdint>
#include <span>

namespace clockshim {

class ExecutableSymbols {
 public:
  // The table is empty if the program imports no function that reads the clock (then it is not
  // looked for), if the file has none (stripped), if symbols or names are larger than
  // `most_bytes`, or if /proc/self/exe is not the program that runs (started as `ld.so PROGRAM`).
  // Without a .symtab this costs three system calls.
  explicit ExecutableSymbols(std::size_t most_bytes) noexcept;
  ~ExecutableSymbols();
  ExecutableSymbols(const ExecutableSymbols&) = delete;
  ExecutableSymbols& operator=(const ExecutableSymbols&) = delete;

  [[nodiscard]] std::span<const Elf64_Sym> all() const { return symbols_; }
  [[nodiscard]] const char* name_of(const Elf64_Sym& symbol) const {
    return symbol.st_name < names_size_ ? names_ + symbol.st_name : "";
  }
  // What has to be added to an address in the file.
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
