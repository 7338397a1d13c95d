#include "report/elf_symbols.h"

#include <cxxabi.h>
#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "os/descriptor.h"
#include "report/text.h"

namespace clockshim {
namespace {

constexpr std::size_t kSymbolsAtOnce = 1024;
constexpr std::size_t kLongestName = 4096;
constexpr std::size_t kLongestDemangled =
    2048;  // the demangler takes 80 bytes of stack for each character
constexpr std::size_t kLongestNotes = 4096;

// A reader of a file that returns only what exists: a truncated or hostile file costs names, not
// the process.
class File {
 public:
  explicit File(const std::string& path)
      : file_(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)) {
    struct stat info;
    if (file_.get() >= 0 && fstat(file_.get(), &info) == 0 && S_ISREG(info.st_mode))
      size_ = static_cast<std::uint64_t>(info.st_size);
  }

  // Reads up to `most` Ts, and returns how many whole ones were read.
  template <class T>
  std::size_t read(T* to, std::uint64_t offset, std::size_t most) const {
    if (offset >= size_) return 0;
    most = static_cast<std::size_t>(std::min<std::uint64_t>(most, (size_ - offset) / sizeof(T)));
    const ssize_t bytes = pread(file_.get(), to, most * sizeof(T), static_cast<off_t>(offset));
    return bytes <= 0 ? 0 : static_cast<std::size_t>(bytes) / sizeof(T);
  }

  [[nodiscard]] std::string string_at(std::uint64_t offset, std::size_t most) const {
    std::string text;
    char some[256];  // most names are shorter
    while (text.size() < most) {
      const std::size_t length =
          read(some, offset + text.size(), std::min(sizeof some, most - text.size()));
      const std::size_t part = strnlen(some, length);
      text.append(some, part);
      if (part < sizeof some) break;
    }
    return text;
  }

 private:
  Descriptor file_;
  std::uint64_t size_ = 0;
};

// The best symbol for a WantedSymbol so far. Several symbols may cover an address (aliases, a
// function within another's range). The innermost wins, and the last of several such.
struct Candidate {
  std::uint64_t start = 0;
  std::uint64_t name_at = 0;  // in the file that is being read; 0: not in this one
  bool found = false;
};

// Returns the first GNU build-id in a note section.
std::string build_id_in(const File& file, const Elf64_Shdr& section) {
  alignas(Elf64_Nhdr) char notes[kLongestNotes];
  const std::size_t size =
      file.read(notes, section.sh_offset,
                static_cast<std::size_t>(std::min<std::uint64_t>(section.sh_size, sizeof notes)));
  for (std::size_t at = 0; at < size && size - at >= sizeof(Elf64_Nhdr);) {
    Elf64_Nhdr note;
    std::memcpy(&note, notes + at, sizeof note);
    const std::uint64_t name = at + sizeof note;
    const std::uint64_t text = name + ((note.n_namesz + 3ULL) & ~3ULL);
    const std::uint64_t end = text + ((note.n_descsz + 3ULL) & ~3ULL);
    if (text + note.n_descsz > size) break;
    if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
        std::memcmp(notes + name, "GNU", 4) == 0)
      return hexadecimal({reinterpret_cast<const std::uint8_t*>(notes + text), note.n_descsz});
    at = static_cast<std::size_t>(end);
  }
  return "";
}

class Search {
 public:
  Search(std::span<WantedSymbol> wanted, const Deadline& deadline)
      : wanted_(wanted), deadline_(deadline), candidates_(wanted.size()) {}

  // Reads one file's tables. False: the deadline has passed.
  bool read_file(const std::string& path, std::string* build_id) {
    const File file(path);
    Elf64_Ehdr header;
    if (file.read(&header, 0, 1) != 1 || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
        header.e_ident[EI_CLASS] != ELFCLASS64)
      return true;
    std::vector<Elf64_Shdr> sections(header.e_shnum);
    if (file.read(sections.data(), header.e_shoff, sections.size()) != sections.size()) return true;
    bool in_time = true;
    for (const Elf64_Shdr& section : sections) {
      if (section.sh_type == SHT_NOTE && build_id != nullptr && build_id->empty())
        *build_id = build_id_in(file, section);
      if ((section.sh_type != SHT_SYMTAB && section.sh_type != SHT_DYNSYM) ||
          section.sh_link >= header.e_shnum)
        continue;
      in_time = in_time && read_table(file, section, sections[section.sh_link].sh_offset);
    }
    for (std::size_t i = 0; i < wanted_.size(); ++i) {
      Candidate& best = candidates_[i];
      if (best.name_at != 0) wanted_[i].name = file.string_at(best.name_at, kLongestName);
      if (best.name_at != 0) wanted_[i].offset = wanted_[i].at - best.start;
      best.name_at = 0;
    }
    return in_time;
  }

 private:
  bool read_table(const File& file, const Elf64_Shdr& section, std::uint64_t names) {
    std::uint64_t left = section.sh_size / sizeof(Elf64_Sym);
    std::uint64_t at = section.sh_offset;
    while (left != 0) {
      if (deadline_.passed()) return false;
      const std::size_t count = file.read(
          buffer_, at, static_cast<std::size_t>(std::min<std::uint64_t>(left, kSymbolsAtOnce)));
      if (count == 0) break;
      for (std::size_t i = 0; i < count; ++i) {
        if (may_cover(buffer_[i])) consider(buffer_[i], names);
      }
      left -= count;
      at += count * sizeof(Elf64_Sym);
    }
    return true;
  }

  // Nearly all of a file's symbols end here: the C library's debug file has 13,000.
  [[nodiscard]] bool may_cover(const Elf64_Sym& symbol) const {
    return symbol.st_value <= wanted_.back().at &&
           symbol.st_value + symbol.st_size > wanted_.front().at;
  }

  void consider(const Elf64_Sym& symbol, std::uint64_t names) {
    const auto type = ELF64_ST_TYPE(symbol.st_info);
    if ((type != STT_FUNC && type != STT_GNU_IFUNC) || symbol.st_shndx == SHN_UNDEF) return;
    auto wanted =
        std::lower_bound(wanted_.begin(), wanted_.end(), symbol.st_value,
                         [](const WantedSymbol& w, std::uint64_t start) { return w.at < start; });
    for (; wanted != wanted_.end() && wanted->at - symbol.st_value < symbol.st_size; ++wanted) {
      Candidate& best = candidates_[static_cast<std::size_t>(wanted - wanted_.begin())];
      if (best.found && symbol.st_value < best.start) continue;
      best = {symbol.st_value, names + symbol.st_name, true};
    }
  }

  std::span<WantedSymbol> wanted_;
  const Deadline& deadline_;
  std::vector<Candidate> candidates_;
  Elf64_Sym buffer_[kSymbolsAtOnce];
};

std::string demangled(const std::string& name) {
  if (name.rfind("_Z", 0) != 0 || name.size() > kLongestDemangled)
    return name;  // a C function called t is not unsigned short
  int status = 0;
  char* text = abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status);
  if (text == nullptr || status != 0) return name;
  std::string out = text;
  std::free(text);
  return out;
}

}  // namespace

bool find_symbols(const std::string& module_path, std::span<WantedSymbol> wanted, bool demangle,
                  const Deadline& deadline) {
  if (wanted.empty()) return true;
  const auto search = std::make_unique<Search>(wanted, deadline);
  std::string build_id;
  bool in_time = search->read_file(module_path, &build_id);
  if (in_time && build_id.size() > 2) {
    in_time = search->read_file(
        "/usr/lib/debug/.build-id/" + build_id.substr(0, 2) + "/" + build_id.substr(2) + ".debug",
        nullptr);
  }
  for (WantedSymbol& symbol : wanted) {
    if (demangle) symbol.name = demangled(symbol.name);
  }
  return in_time;
}

}  // namespace clockshim
