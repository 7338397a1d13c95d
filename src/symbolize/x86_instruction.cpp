#include "symbolize/x86_instruction.h"

#include <algorithm>
#include <cstring>
#include <initializer_list>

namespace clockshim {
namespace {

class Decoder {
 public:
  explicit Decoder(std::span<const std::uint8_t> code) : code_(code) {}

  X86Instruction instruction() {
    X86Instruction out;
    std::uint8_t rex = 0;
    if (starts_with({0xf3, 0x0f, 0x1e, 0xfa})) {  // endbr64, which does nothing
      out.opcode = 0x90;
      out.length = 4;
      return out;
    }
    if (peek() == 0x64) ++at_;  // %fs: the stack protector's
    if ((peek() & 0xf0U) == 0x40) rex = take();
    out.wide = (rex & 8U) != 0;
    out.opcode = take();
    const std::uint8_t op = out.opcode;
    bool modrm = false;
    std::size_t immediate = 0;
    if (op >= 0x50 && op <= 0x5f) {  // push, pop
      out.rm = static_cast<std::uint8_t>((op & 7U) | (rex & 1U) << 3);
    } else if (op >= 0x70 && op <= 0x7f) {  // jcc
      out.opcode = X86Instruction::kJcc;
      out.condition = op & 0xfU;
      immediate = 1;
    } else if ((op >= 0xb8 && op <= 0xbf && !out.wide) || op == 0xe8) {  // mov $, register; call
      immediate = 4;
    } else if (op == 0x83 || op == 0xc6) {
      modrm = true;
      immediate = 1;
    } else if (op == 0x81 || op == 0xc7) {
      modrm = true;
      immediate = 4;
    } else if (op == 0x01 || op == 0x03 || op == 0x09 || op == 0x0b || op == 0x21 || op == 0x23 ||
               op == 0x29 || op == 0x2b || op == 0x31 || op == 0x33 || op == 0x39 || op == 0x3b ||
               op == 0x63 || op == 0x84 || op == 0x85 || op == 0x88 || op == 0x89 || op == 0x8a ||
               op == 0x8b || op == 0x8d || op == 0xff) {
      modrm = true;
    } else if (op == 0x0f && peek() >= 0x80 && peek() <= 0x8f) {  // jcc, far
      out.opcode = X86Instruction::kJcc;
      out.condition = take() & 0xfU;
      immediate = 4;
    } else {
      return {};
    }
    if (modrm) take_operand(rex, out);
    if (immediate == 1) {
      const int byte = take();
      out.immediate = byte < 0x80 ? byte : byte - 0x100;
    }
    if (immediate == 4) {
      if (code_.size() - at_ < sizeof out.immediate) return {};
      std::memcpy(&out.immediate, code_.data() + at_, sizeof out.immediate);
      at_ += sizeof out.immediate;
    }
    if (cut_) return {};
    out.length = at_;
    return out;
  }

 private:
  [[nodiscard]] bool starts_with(std::initializer_list<std::uint8_t> bytes) const {
    return code_.size() >= bytes.size() && std::equal(bytes.begin(), bytes.end(), code_.begin());
  }
  [[nodiscard]] std::uint8_t peek() const { return at_ < code_.size() ? code_[at_] : 0; }
  std::uint8_t take() {
    if (at_ >= code_.size()) {
      cut_ = true;
      return 0;
    }
    return code_[at_++];
  }
  void take_operand(std::uint8_t rex, X86Instruction& out) {
    const std::uint8_t modrm = take();
    const unsigned mod = modrm >> 6;
    const unsigned rm = modrm & 7U;
    out.direct = mod == 3;
    out.reg = static_cast<std::uint8_t>((modrm >> 3 & 7U) | (rex & 4U) << 1);
    out.rm = static_cast<std::uint8_t>(rm | (rex & 1U) << 3);
    std::size_t displacement = mod == 1 ? 1 : mod == 2 ? 4 : 0;
    if (mod != 3 && rm == kRsp) {
      const std::uint8_t sib = take();
      if (mod == 0 && (sib & 7U) == kRbp) displacement = 4;
    }
    if (mod == 0 && rm == kRbp) {
      displacement = 4;
      out.rip_offset_at = at_;
    }
    for (; displacement != 0; --displacement) take();
  }

  std::span<const std::uint8_t> code_;
  std::size_t at_ = 0;
  bool cut_ = false;
};

}  // namespace

X86Instruction decode_x86(std::span<const std::uint8_t> code) {
  return Decoder(code).instruction();
}

}  // namespace clockshim
