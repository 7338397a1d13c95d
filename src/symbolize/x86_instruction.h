// The instructions that the beginnings of functions are made of: how long one is, and what it does
// to registers (Intel SDM vol. 2, chapter 2). It knows a few dozen opcodes, and no more.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace clockshim {

inline constexpr std::uint8_t kRsp = 4;
inline constexpr std::uint8_t kRbp = 5;

struct X86Instruction {
  // Conditional jumps have this opcode, near ones and far ones.
  static constexpr std::uint8_t kJcc = 0x70;

  std::size_t length = 0;  // 0: it is none that is known
  std::uint8_t opcode = 0;
  std::uint8_t reg = 0;           // ModRM.reg, with REX.R
  std::uint8_t rm = 0;            // ModRM.rm, with REX.B, or the register in the opcode
  std::uint8_t condition = 0;     // of a conditional jump: the low four bits of its opcode
  bool direct = false;            // ModRM.mod is 3: rm is a register
  bool wide = false;              // REX.W
  std::int32_t immediate = 0;     // sign-extended; a jump's distance from the instruction's end
  std::size_t rip_offset_at = 0;  // where the operand's distance from the instruction's end stands,
                                  // four bytes; 0: it has no such operand
};

// The first instruction of `code`.
X86Instruction decode_x86(std::span<const std::uint8_t> code);

}  // namespace clockshim
