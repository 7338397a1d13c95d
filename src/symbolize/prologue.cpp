#include "symbolize/prologue.h"

#include <cstring>

namespace clockshim {
namespace {

constexpr std::uint8_t kRsp = 4;
constexpr std::uint8_t kRbp = 5;

// The parts of one instruction (Intel SDM vol. 2, chapter 2) of the one-byte opcodes that a
// prologue is made of. `length` 0: it is another one.
struct Instruction {
  std::size_t length = 0;
  std::uint8_t opcode = 0;
  std::uint8_t reg = 0;        // ModRM.reg, with REX.R
  std::uint8_t rm = 0;         // ModRM.rm, with REX.B, or the register in the opcode
  bool direct = false;         // ModRM.mod is 3: rm is a register
  bool wide = false;           // REX.W
  std::int32_t immediate = 0;  // sign-extended
};

class Decoder {
 public:
  explicit Decoder(std::span<const std::uint8_t> code) : code_(code) {}

  Instruction next() {
    Instruction out;
    std::uint8_t rex = 0;
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
      ++at_;
      immediate = 4;
      out.opcode = 0x70;
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

  [[nodiscard]] std::size_t at() const { return at_; }

 private:
  [[nodiscard]] std::uint8_t peek() const { return at_ < code_.size() ? code_[at_] : 0; }
  std::uint8_t take() {
    if (at_ >= code_.size()) {
      cut_ = true;
      return 0;
    }
    return code_[at_++];
  }
  void take_operand(std::uint8_t rex, Instruction& out) {
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
    if (mod == 0 && rm == kRbp) displacement = 4;  // from rip
    for (; displacement != 0; --displacement) take();
  }

  std::span<const std::uint8_t> code_;
  std::size_t at_ = 0;
  bool cut_ = false;
};

// Whether what is neither a push, a subtraction nor a call ends the way, or changes the stack
// pointer. Copies of it are harmless.
bool may_move_stack(const Instruction& now) {
  const std::uint8_t op = now.opcode;
  if (op == 0xff || (op >= 0x58 && op <= 0x5f)) return true;  // inc, dec, jmp, push; pop
  if (op == 0x8d) return now.reg == kRsp;                     // lea
  const bool copied = op == 0x89 && now.reg == kRsp && now.rm != kRsp;
  return now.direct && (now.rm == kRsp || now.reg == kRsp) && !copied;
}

}  // namespace

std::vector<CallInPrologue> calls_in_prologue(std::span<const std::uint8_t> code) {
  constexpr std::int32_t kWord = 8;
  std::vector<CallInPrologue> out;
  Decoder decoder(code);
  std::int32_t depth = kWord;  // of the return address
  std::int16_t saved_frame = 0;
  while (decoder.at() < code.size()) {
    const Instruction now = decoder.next();
    if (now.length == 0) break;
    const std::uint8_t op = now.opcode;
    if (op >= 0x50 && op <= 0x57) {  // push
      depth += kWord;
      if (now.rm == kRbp && saved_frame == 0) saved_frame = static_cast<std::int16_t>(-depth);
    } else if ((op == 0x81 || op == 0x83) && now.direct && now.rm == kRsp) {
      constexpr std::uint8_t kSub = 5;
      if ((now.reg & 7U) != kSub || !now.wide || now.immediate < 0) break;
      depth += now.immediate;
    } else if (op == 0xe8 || (op == 0xff && (now.reg & 7U) == 2)) {  // call
      out.push_back({decoder.at(), depth, saved_frame});
    } else if (may_move_stack(now)) {
      break;
    }
  }
  return out;
}

}  // namespace clockshim
