// An ELF file of the program in question, by libelf. Read by its program headers, because the
// sections that say the same may have been stripped.
#pragma once

#include <gelf.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "os/descriptor.h"

namespace clockshim::cli {

class ElfFile {
 public:
  explicit ElfFile(const std::string& path);

  // ELFCLASS64, ELFCLASS32; ELFCLASSNONE: it is no ELF file, or can't be read.
  [[nodiscard]] int bits() const { return gelf_getclass(elf_.get()); }
  [[nodiscard]] unsigned machine() const { return header_.e_machine; }
  // For what else reads it; null: it is no ELF file, or can't be read.
  [[nodiscard]] Elf* elf() const { return elf_.get(); }
  // The program headers; none if not all of them can be read.
  [[nodiscard]] const std::vector<GElf_Phdr>& segments() const { return segments_; }
  // A part of the file; null if the file ends before it.
  [[nodiscard]] Elf_Data* part(std::uint64_t offset, std::uint64_t size, Elf_Type type) const;
  // Whether Go's linker has made it: it notes so.
  [[nodiscard]] bool is_go() const;
  // The interpreter (the loader) that it names; "": none.
  [[nodiscard]] std::string interpreter() const;

 private:
  Descriptor file_;
  std::unique_ptr<Elf, int (*)(Elf*)> elf_{nullptr, elf_end};
  GElf_Ehdr header_{};
  std::vector<GElf_Phdr> segments_;
};

// Bytes that part() has read.
inline std::string_view bytes_of(const Elf_Data* data) {
  return data == nullptr || data->d_buf == nullptr
             ? std::string_view()
             : std::string_view(static_cast<const char*>(data->d_buf), data->d_size);
}

}  // namespace clockshim::cli
