// A shared object in memory that names functions by its dynamic symbols, as the kernel's vDSO and
// our own image do: where a name stands, and where the segments are.
#pragma once

#include <elf.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace clockshim::cli {

class DynamicImage {
 public:
  // `file` must outlive it. A file that is not one of these has no segments, and no symbols.
  explicit DynamicImage(std::span<const std::byte> file);

  [[nodiscard]] const std::vector<Elf64_Phdr>& segments() const { return segments_; }
  // The bytes of address space that the segments take, from 0 on.
  [[nodiscard]] std::uint64_t size() const;

  struct Symbol {
    std::string_view name;
    std::uint64_t value;  // from the image's begin
    std::uint64_t size;
    std::uint64_t value_at;  // where `value` itself stands
  };
  [[nodiscard]] std::vector<Symbol> symbols() const;
  // The value of a symbol; 0: there is none of this name.
  [[nodiscard]] std::uint64_t find(std::string_view name) const;
  // The relocations that make an address of a number from the image's begin (R_X86_64_RELATIVE).
  // `others` says whether it has relocations of another kind.
  [[nodiscard]] std::vector<Elf64_Rela> relative_relocations(bool& others) const;

 private:
  [[nodiscard]] std::uint64_t dynamic(std::int64_t tag) const;
  template <class T>
  [[nodiscard]] T at(std::uint64_t place) const;

  std::span<const std::byte> file_;
  std::vector<Elf64_Phdr> segments_;
};

}  // namespace clockshim::cli
