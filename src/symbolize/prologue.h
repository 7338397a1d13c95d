// How far the stack pointer has moved at each call of a function, for functions without an unwind
// table (musl's are compiled without): from the instructions at the function's beginning.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace clockshim {

struct CallInPrologue {
  std::size_t at = 0;            // the return address, from the function's start
  std::int32_t cfa_offset = 0;   // CFA = rsp + cfa_offset there
  std::int16_t saved_frame = 0;  // rbp was saved at CFA + saved_frame; 0: it is still the caller's
};

// Follows the code from its first byte on, past jumps that may be taken, and reports the calls on
// the way. Ends at the first instruction that it does not know, at a return, at a jump that is
// always taken, and where the stack pointer is moved by an unknown number: what is reported is
// certain, because compilers give each instruction of a function one depth of the stack.
std::vector<CallInPrologue> calls_in_prologue(std::span<const std::uint8_t> code);

}  // namespace clockshim
