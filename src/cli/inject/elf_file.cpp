#include "cli/inject/elf_file.h"

#include <fcntl.h>

#include <algorithm>

namespace clockshim::cli {
namespace {

constexpr std::uint64_t kLongestPath = 4096;
constexpr std::string_view kGoNote("Go\0", 3);

bool has_go_note(const ElfFile& file, const GElf_Phdr& notes) {
  Elf_Data* const data = file.part(notes.p_offset, notes.p_filesz, ELF_T_NHDR);
  if (data == nullptr) return false;
  GElf_Nhdr note;
  std::size_t name = 0;
  std::size_t content = 0;
  for (std::size_t at = 0; (at = gelf_getnote(data, at, &note, &name, &content)) > 0;) {
    if (bytes_of(data).substr(name, note.n_namesz).starts_with(kGoNote)) return true;
  }
  return false;
}

}  // namespace

ElfFile::ElfFile(const std::string& path)
    : file_(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)) {
  if (elf_version(EV_CURRENT) == EV_NONE || file_.get() < 0) return;
  elf_.reset(elf_begin(file_.get(), ELF_C_READ, nullptr));
  std::size_t count = 0;
  if (gelf_getehdr(elf_.get(), &header_) == nullptr || elf_getphdrnum(elf_.get(), &count) != 0)
    return;
  for (std::size_t i = 0; i < count; ++i) {
    GElf_Phdr segment;
    if (gelf_getphdr(elf_.get(), static_cast<int>(i), &segment) == nullptr) {
      segments_.clear();
      return;
    }
    segments_.push_back(segment);
  }
}

Elf_Data* ElfFile::part(std::uint64_t offset, std::uint64_t size, Elf_Type type) const {
  return elf_getdata_rawchunk(elf_.get(), static_cast<std::int64_t>(offset), size, type);
}

bool ElfFile::is_go() const {
  return std::any_of(segments_.begin(), segments_.end(), [this](const GElf_Phdr& segment) {
    return segment.p_type == PT_NOTE && has_go_note(*this, segment);
  });
}

std::string ElfFile::interpreter() const {
  for (const GElf_Phdr& segment : segments_) {
    if (segment.p_type != PT_INTERP) continue;
    const std::uint64_t size = std::min<std::uint64_t>(segment.p_filesz, kLongestPath);
    const std::string_view name = bytes_of(part(segment.p_offset, size, ELF_T_BYTE));
    return std::string(name.substr(0, name.find('\0')));
  }
  return "";
}

}  // namespace clockshim::cli
