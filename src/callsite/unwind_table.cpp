// Reads rules from a module's own unwind table: .eh_frame_hdr (LSB core 5.0, 10.6.2) locates the
// description of a function in .eh_frame (10.6.1), which consists of instructions of DWARF
// 5, 6.4.2.
//
// Only the parts of a rule are followed: the canonical frame address, rbp and the return address.
// So it takes some 300 bytes of stack, no memory and no lock, and leaves nothing behind when it is
// interrupted. It may run in a signal handler on top of itself, in all threads at the same time,
// and be left by longjmp. A description that is not fully understood gives no rule. A corrupt table
// is read to its end at most: nothing outside of the module's own memory is read.
#include <cstring>

#include "callsite/stack.h"
#include "os/module.h"

namespace clockshim {
namespace {

// A reader of the module's bytes. Beyond the end it returns zeros, and `whole` is false.
class Bytes {
 public:
  Bytes(std::uintptr_t at, std::uintptr_t end) : at_(at), end_(end) {}

  template <class T>
  T take() {
    T value{};
    if (left() < sizeof value) {
      at_ = end_;
      whole_ = false;
    } else {
      std::memcpy(&value, reinterpret_cast<const void*>(at_), sizeof value);
      at_ += sizeof value;
    }
    return value;
  }

  // Reads LEB128 (DWARF 5, 7.6). A number that does not fit into 64 bits is cut.
  std::uint64_t unsigned_number() {
    unsigned shift = 0;
    return number(shift);
  }
  std::int64_t signed_number() {
    unsigned shift = 0;
    const std::uint64_t value = number(shift);
    const bool negative = shift < 64 && (value >> (shift - 1) & 1U) != 0;
    return static_cast<std::int64_t>(negative ? value | ~std::uint64_t{0} << shift : value);
  }

  void skip(std::uint64_t bytes) {
    whole_ = whole_ && bytes <= left();
    at_ = bytes <= left() ? at_ + bytes : end_;
  }

  // A reader for the next `bytes` alone, which are skipped here.
  Bytes part(std::uint64_t bytes) {
    const std::uintptr_t start = at_;
    skip(bytes);
    return Bytes{start, at_};
  }

  [[nodiscard]] std::uintptr_t at() const { return at_; }
  [[nodiscard]] std::uintptr_t left() const { return end_ - at_; }
  [[nodiscard]] bool whole() const { return whole_; }

 private:
  std::uint64_t number(unsigned& shift) {
    std::uint64_t value = 0;
    for (std::uint8_t byte = 0x80; (byte & 0x80U) != 0; shift += 7) {
      byte = take<std::uint8_t>();
      if (shift < 64) value |= static_cast<std::uint64_t>(byte & 0x7FU) << shift;
    }
    return value;
  }

  std::uintptr_t at_;
  std::uintptr_t end_;
  bool whole_ = true;
};

Bytes bytes_of(const Module& module, std::uintptr_t at) {
  const bool inside = at >= module.map_start && at < module.map_end;
  return Bytes{inside ? at : module.map_end, module.map_end};
}

// Reads an address (DW_EH_PE_*): a number of some size, absolute or relative to its own place. Code
// is not described by any other kind. False: it is of another kind.
constexpr std::uint8_t kFormat = 0x0F;
bool take_address(Bytes& from, std::uint8_t encoding, std::uintptr_t& out) {
  constexpr std::uint8_t kRelative = 0x10;
  const std::uintptr_t here = from.at();
  switch (encoding & kFormat) {
    case 0x00:
    case 0x04:
    case 0x0C: out = from.take<std::uint64_t>(); break;
    case 0x03: out = from.take<std::uint32_t>(); break;
    case 0x0B: out = static_cast<std::uintptr_t>(std::intptr_t{from.take<std::int32_t>()}); break;
    default: return false;
  }
  if ((encoding & ~kFormat) == kRelative) out += here;
  return (encoding & ~kFormat) == kRelative || (encoding & ~kFormat) == 0;
}

// Reads the length of an entry of .eh_frame, and returns the rest. Entries of the 64-bit format are
// empty.
Bytes take_entry(Bytes from) {
  constexpr std::uint32_t kLong = 0xFFFF'FFFF;
  const auto length = from.take<std::uint32_t>();
  return length == kLong ? from.part(0) : from.part(length);
}

// What the functions that share a CIE have in common.
struct Common {
  std::uint64_t code_unit = 0;
  std::int64_t data_unit = 0;
  std::uint8_t encoding = 0;
  bool augmented = false;
};

// Reads a CIE. `from` is then at the start of its instructions.
bool take_common(Bytes& from, Common& out) {
  const auto id = from.take<std::uint32_t>();
  const auto version = from.take<std::uint8_t>();
  if (id != 0 || (version != 1 && version != 3)) return false;
  constexpr unsigned kLongest = 8;
  char letters[kLongest];
  unsigned count = 0;
  while ((letters[count] = from.take<char>()) != '\0') {
    if (++count == kLongest) return false;
  }
  out.code_unit = from.unsigned_number();
  out.data_unit = from.signed_number();
  constexpr std::uint64_t kReturnAddress = 16;
  if ((version == 1 ? from.take<std::uint8_t>() : from.unsigned_number()) != kReturnAddress)
    return false;
  if (count == 0) return from.whole();
  if (letters[0] != 'z') return false;
  out.augmented = true;
  Bytes words = from.part(from.unsigned_number());
  for (unsigned i = 1; i < count; ++i) {
    std::uintptr_t ignored = 0;
    switch (letters[i]) {
      case 'R': out.encoding = words.take<std::uint8_t>(); break;
      case 'L': words.skip(1); break;
      case 'P': {
        constexpr std::uint8_t kIndirect = 0x80;
        const auto encoding = static_cast<std::uint8_t>(words.take<std::uint8_t>() & ~kIndirect);
        if (!take_address(words, encoding, ignored)) return false;
        break;
      }
      default: return false;  // such as 'S', the frame of a signal
    }
  }
  return from.whole() && words.whole();
}

// How to get to the caller from one place in a function: one row of its table (DWARF 5, 6.4.1).
constexpr std::uint8_t kFrameRegister =
    6;  // rbp and rsp, by their numbers in the x86-64 psABI (3.6.2)
constexpr std::uint8_t kStackRegister = 7;
constexpr std::uint8_t kReturnColumn = 16;
constexpr std::uint8_t kNoRegister = 0xFF;
struct Row {
  enum class Saved : std::uint8_t { not_yet, in_memory, unknown };
  std::int64_t cfa_offset = 0;
  std::int64_t frame_at = 0;  // the saved rbp, relative to the canonical frame address
  std::int64_t return_at = 0;
  std::uint8_t cfa_from = kNoRegister;  // rsp, rbp, or something else
  Saved frame = Saved::not_yet;
  Saved return_address = Saved::not_yet;
};

class Rows {
 public:
  Rows(const Common& common, std::uintptr_t function, std::uintptr_t pc)
      : common_(common), at_(function), pc_(pc) {}

  // Executes instructions up to the row for the address. False: one of them is not known.
  bool follow(Bytes code) {
    while (code.left() != 0 && at_ <= pc_) {
      const auto instruction = code.take<std::uint8_t>();
      const auto low = static_cast<std::uint8_t>(instruction & 0x3FU);
      switch (instruction >> 6) {
        case 1: at_ += low * common_.code_unit; break;
        case 2: save(low, scaled(code.unsigned_number())); break;
        case 3: restore(low); break;
        default:
          if (!follow_other(low, code)) return false;
      }
    }
    return code.whole();
  }

  // Stores the initial row, after the common instructions of the CIE.
  void begin() { first_ = row_; }
  [[nodiscard]] const Row& row() const { return row_; }

 private:
  bool follow_other(std::uint8_t instruction, Bytes& code) {
    switch (instruction) {
      case 0x00: break;
      case 0x01: return take_address(code, common_.encoding, at_);
      case 0x02: at_ += code.take<std::uint8_t>() * common_.code_unit; break;
      case 0x03: at_ += code.take<std::uint16_t>() * common_.code_unit; break;
      case 0x04: at_ += code.take<std::uint32_t>() * common_.code_unit; break;
      case 0x05: {  // offset_extended
        const std::uint64_t of = code.unsigned_number();
        save(of, scaled(code.unsigned_number()));
        break;
      }
      case 0x06: restore(code.unsigned_number()); break;
      case 0x07: set(code.unsigned_number(), Row::Saved::unknown, 0); break;
      case 0x08: set(code.unsigned_number(), Row::Saved::not_yet, 0); break;
      case 0x09: [[fallthrough]];  // register, val_offset: two numbers
      case 0x14:
        set(code.unsigned_number(), Row::Saved::unknown, 0);
        code.unsigned_number();
        break;
      case 0x0A:
        if (remembered_ == kMostRemembered) return false;
        remember_[remembered_++] = row_;
        break;
      case 0x0B:
        if (remembered_ == 0) return false;
        row_ = remember_[--remembered_];
        break;
      case 0x0C:
        cfa_from(code.unsigned_number());
        row_.cfa_offset = static_cast<std::int64_t>(code.unsigned_number());
        break;
      case 0x0D: cfa_from(code.unsigned_number()); break;
      case 0x0E: row_.cfa_offset = static_cast<std::int64_t>(code.unsigned_number()); break;
      case 0x0F:
        row_.cfa_from = kNoRegister;
        code.skip(code.unsigned_number());
        break;
      case 0x10: [[fallthrough]];  // expression, val_expression
      case 0x16:
        set(code.unsigned_number(), Row::Saved::unknown, 0);
        code.skip(code.unsigned_number());
        break;
      case 0x11: {
        const std::uint64_t of = code.unsigned_number();
        save(of, scaled(static_cast<std::uint64_t>(code.signed_number())));
        break;
      }
      case 0x12:
        cfa_from(code.unsigned_number());
        row_.cfa_offset = scaled(static_cast<std::uint64_t>(code.signed_number()));
        break;
      case 0x13: row_.cfa_offset = scaled(static_cast<std::uint64_t>(code.signed_number())); break;
      case 0x15:
        set(code.unsigned_number(), Row::Saved::unknown, 0);
        code.signed_number();
        break;
      case 0x2E: code.unsigned_number(); break;  // GNU_args_size
      default: return false;
    }
    return true;
  }

  // Multiplies without overflow, whatever the numbers are.
  [[nodiscard]] std::int64_t scaled(std::uint64_t offset) const {
    return static_cast<std::int64_t>(offset * static_cast<std::uint64_t>(common_.data_unit));
  }
  void cfa_from(std::uint64_t of) {
    row_.cfa_from =
        of == kFrameRegister || of == kStackRegister ? static_cast<std::uint8_t>(of) : kNoRegister;
  }
  void save(std::uint64_t of, std::int64_t at) { set(of, Row::Saved::in_memory, at); }
  void restore(std::uint64_t of) {
    if (of == kFrameRegister) set(of, first_.frame, first_.frame_at);
    if (of == kReturnColumn) set(of, first_.return_address, first_.return_at);
  }
  void set(std::uint64_t of, Row::Saved saved, std::int64_t at) {
    if (of == kFrameRegister) {
      row_.frame = saved;
      row_.frame_at = at;
    } else if (of == kReturnColumn) {
      row_.return_address = saved;
      row_.return_at = at;
    }
  }

  static constexpr unsigned kMostRemembered = 4;  // compilers use one

  Common common_;
  std::uintptr_t at_;
  std::uintptr_t pc_;
  Row row_{};
  Row first_{};
  Row remember_[kMostRemembered];
  unsigned remembered_ = 0;
};

// Finds the description (FDE) of the function around `pc`, by binary search. 0: there is none.
std::uintptr_t find_description(const Module& module, std::uintptr_t pc) {
  const auto header = reinterpret_cast<std::uintptr_t>(module.unwind_header);
  Bytes bytes = bytes_of(module, header);
  constexpr std::uint32_t kUsual = 0x3B03'1B01;  // the version, and the encodings of the pointer,
                                                 // the count and the table that all linkers use
  if (bytes.take<std::uint32_t>() != kUsual) return 0;
  bytes.skip(sizeof(std::int32_t));
  std::uint32_t below = 0;
  std::uint32_t above = bytes.take<std::uint32_t>();
  struct Entry {
    std::int32_t start, description;  // both relative to the header
  };
  if (above > bytes.left() / sizeof(Entry)) return 0;
  const std::uintptr_t table = bytes.at();
  const auto at = [header](std::int32_t offset) {
    return header + static_cast<std::uintptr_t>(std::intptr_t{offset});
  };
  std::uintptr_t found = 0;
  while (below < above) {
    const std::uint32_t middle = below + (above - below) / 2;
    Entry entry;
    std::memcpy(&entry, reinterpret_cast<const void*>(table + middle * sizeof entry), sizeof entry);
    if (at(entry.start) <= pc) {
      found = at(entry.description);
      below = middle + 1;
    } else {
      above = middle;
    }
  }
  return found;
}

// Finds the row for `pc` in the table of its function.
bool find_row(const Module& module, std::uintptr_t pc, Row& out) {
  const std::uintptr_t description = find_description(module, pc);
  if (description == 0) return false;
  Bytes entry = take_entry(bytes_of(module, description));
  const std::uintptr_t here = entry.at();
  const auto back = entry.take<std::uint32_t>();
  if (back == 0 || here - module.map_start < back)
    return false;  // 0: it is a CIE, not a function's entry
  Bytes common_code = take_entry(bytes_of(module, here - back));
  Common common;
  std::uintptr_t function = 0;
  std::uintptr_t size = 0;
  if (!take_common(common_code, common) || !take_address(entry, common.encoding, function) ||
      !take_address(entry, common.encoding & kFormat, size) || pc - function >= size) {
    return false;
  }
  if (common.augmented) entry.skip(entry.unsigned_number());
  if (!entry.whole()) return false;
  Rows rows{common, function, pc};
  if (!rows.follow(common_code)) return false;
  rows.begin();
  if (!rows.follow(entry)) return false;
  out = rows.row();
  return true;
}

}  // namespace

bool rule_from_table(const Module& module, std::uintptr_t pc, FrameRule& out) noexcept {
  Row row;
  // A call may be the last instruction of its function, so use the row of the call, not of what
  // follows it.
  if (module.unwind_header == nullptr || !find_row(module, pc - 1, row)) return false;
  constexpr std::int64_t kWord = sizeof(std::uintptr_t);
  constexpr std::int64_t kLargest = 1 << 20;  // no frame is assumed to be larger
  if (row.cfa_from == kNoRegister || row.cfa_offset < kWord || row.cfa_offset > kLargest)
    return false;
  if (row.return_address != Row::Saved::in_memory || row.return_at != -kWord)
    return false;  // not a plain call
  FrameRule rule;
  rule.from_frame = row.cfa_from == kFrameRegister;
  rule.cfa_offset = static_cast<std::int32_t>(row.cfa_offset);
  if (row.frame == Row::Saved::in_memory) {
    if (row.frame_at >= 0 || row.frame_at < INT16_MIN) return false;
    rule.saved_frame = static_cast<std::int16_t>(row.frame_at);
  } else if (row.frame != Row::Saved::not_yet) {
    return false;
  }
  out = rule;
  return true;
}

bool learn_rule(std::uintptr_t pc, FrameRule& out) noexcept {
  Module module;
  return find_module(pc, module) && rule_from_table(module, pc, out);
}

}  // namespace clockshim
