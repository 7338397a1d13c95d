#include "symbolize/go_functions.h"

#include <gelf.h>

#include <cstring>
#include <string_view>

namespace clockshim {
namespace {

// A table as it stands in the file. Offsets that lead out of it read as 0.
class GoTable {
 public:
  GoTable(std::span<const std::byte> bytes, std::uint64_t text) : bytes_(bytes), text_(text) {}

  std::vector<GoFunction> functions() const {
    enum class Layout { go116, go118 } layout{};
    switch (number<std::uint32_t>(0)) {
      case 0xfffffffa: layout = Layout::go116; break;
      case 0xfffffff0:
      case 0xfffffff1: layout = Layout::go118; break;
      default: return {};
    }
    constexpr std::size_t kPointerSizeAt = 7;
    constexpr std::size_t kWords = 8;
    if (number<std::uint8_t>(kPointerSizeAt) != kWords) return {};
    const auto word = [this](std::size_t i) { return number<std::uint64_t>(kWords + i * kWords); };
    const bool relative = layout == Layout::go118;
    const std::uint64_t count = word(0);
    // Word 2 is the text's start from 1.18 on; in a position-independent program it is 0 in the
    // file, and a relocation fills it in.
    const std::uint64_t text = !relative ? 0 : word(2) != 0 ? word(2) : text_;
    const std::size_t first = relative ? 3 : 2;
    const std::uint64_t names = word(first);
    const std::uint64_t table = word(first + 4);
    const std::size_t field = relative ? sizeof(std::uint32_t) : sizeof(std::uint64_t);
    std::vector<GoFunction> out;
    if (count > bytes_.size() / field) return out;
    const auto at = [&](std::uint64_t place) {
      return relative ? number<std::uint32_t>(place) : number<std::uint64_t>(place);
    };
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::uint64_t entry = table + i * 2 * field;
      const std::uint64_t record = table + at(entry + field);
      const auto name = number<std::uint32_t>(record + field);
      out.push_back({text + at(entry), text + at(entry + 2 * field), text_at(names + name)});
    }
    return out;
  }

 private:
  template <class T>
  [[nodiscard]] T number(std::uint64_t place) const {
    T value{};
    if (place <= bytes_.size() && bytes_.size() - place >= sizeof value)
      std::memcpy(&value, bytes_.data() + place, sizeof value);
    return value;
  }
  [[nodiscard]] std::string text_at(std::uint64_t place) const {
    if (place >= bytes_.size()) return "";
    const auto* const begin = reinterpret_cast<const char*>(bytes_.data()) + place;
    return {begin, strnlen(begin, bytes_.size() - place)};
  }

  std::span<const std::byte> bytes_;
  std::uint64_t text_;
};

// False: there is none.
bool find_table(Elf* elf, std::span<const std::byte>& table, std::uint64_t& text) {
  std::size_t names = 0;
  if (elf == nullptr || elf_getshdrstrndx(elf, &names) != 0) return false;
  Elf_Scn* section = nullptr;
  while ((section = elf_nextscn(elf, section)) != nullptr) {
    GElf_Shdr header;
    if (gelf_getshdr(section, &header) == nullptr) continue;
    const char* const given = elf_strptr(elf, names, header.sh_name);
    const std::string_view name = given != nullptr ? given : "";
    if (name == ".text") text = header.sh_addr;
    if (name != ".gopclntab" && name != ".data.rel.ro.gopclntab") continue;
    const Elf_Data* const data = elf_rawdata(section, nullptr);
    if (data != nullptr && data->d_buf != nullptr)
      table = {static_cast<const std::byte*>(data->d_buf), data->d_size};
  }
  return !table.empty();
}

}  // namespace

std::vector<GoFunction> read_go_functions(Elf* elf) {
  std::span<const std::byte> table;
  std::uint64_t text = 0;
  find_table(elf, table, text);
  return GoTable(table, text).functions();
}

bool has_go_functions(Elf* elf) {
  std::span<const std::byte> table;
  std::uint64_t text = 0;
  return find_table(elf, table, text);
}

}  // namespace clockshim
