#include "symbolize/prologue.h"

#include "symbolize/x86_instruction.h"

namespace clockshim {
namespace {

// Whether what is neither a push, a subtraction nor a call ends the way, or changes the stack
// pointer. Copies of it are harmless.
bool may_move_stack(const X86Instruction& now) {
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
  std::size_t at = 0;
  std::int32_t depth = kWord;  // of the return address
  std::int16_t saved_frame = 0;
  while (at < code.size()) {
    const X86Instruction now = decode_x86(code.subspan(at));
    if (now.length == 0) break;
    at += now.length;
    const std::uint8_t op = now.opcode;
    if (op >= 0x50 && op <= 0x57) {  // push
      depth += kWord;
      if (now.rm == kRbp && saved_frame == 0) saved_frame = static_cast<std::int16_t>(-depth);
    } else if ((op == 0x81 || op == 0x83) && now.direct && now.rm == kRsp) {
      constexpr std::uint8_t kSub = 5;
      if ((now.reg & 7U) != kSub || !now.wide || now.immediate < 0) break;
      depth += now.immediate;
    } else if (op == 0xe8 || (op == 0xff && (now.reg & 7U) == 2)) {  // call
      out.push_back({at, depth, saved_frame});
    } else if (may_move_stack(now)) {
      break;
    }
  }
  return out;
}

}  // namespace clockshim
