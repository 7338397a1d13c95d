#include "cli/inject/function_entry.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "symbolize/x86_instruction.h"

namespace clockshim::cli {
namespace {

constexpr std::uint8_t kJumpNear = 0xe9;  // jmp rel32
constexpr std::uint8_t kJumpShort = 0xeb;
constexpr std::uint8_t kTwoBytes = 0x0f;
constexpr std::uint8_t kJccNear = 0x80;  // and the condition, behind kTwoBytes

template <class T>
void append(std::vector<std::uint8_t>& out, T value) {
  const auto* const bytes = reinterpret_cast<const std::uint8_t*>(&value);
  out.insert(out.end(), bytes, bytes + sizeof value);
}

// The distance of a jump whose instruction ends at `end`.
std::int32_t distance(std::uint64_t end, std::uint64_t to) {
  return static_cast<std::int32_t>(static_cast<std::int64_t>(to - end));
}

std::int64_t signed_byte(std::uint8_t byte) {
  const std::int64_t value = byte;
  return value < 0x80 ? value : value - 0x100;
}

std::int32_t word_at(std::span<const std::uint8_t> code, std::size_t at) {
  std::int32_t word = 0;
  if (at + sizeof word <= code.size()) std::memcpy(&word, code.data() + at, sizeof word);
  return word;
}

}  // namespace

bool within_jump(std::uint64_t from, std::uint64_t to) {
  // What is moved may refer to what is as far from the function as the kernel's data, too.
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max() - (1 << 20);
  const auto apart = static_cast<std::int64_t>(to - from);
  return apart >= -kMost && apart <= kMost;
}

std::array<std::uint8_t, kJumpSize> jump(std::uint64_t from, std::uint64_t to) {
  std::array<std::uint8_t, kJumpSize> out{kJumpNear};
  const std::int32_t by = distance(from + kJumpSize, to);
  std::memcpy(&out[1], &by, sizeof by);
  return out;
}

std::uint64_t target_of_jump(std::span<const std::uint8_t> code, std::uint64_t from) {
  if (code.size() < kJumpSize || code[0] != kJumpNear) return 0;
  return from + kJumpSize + static_cast<std::uint64_t>(std::int64_t{word_at(code, 1)});
}

// It reads each byte as if an instruction began there, which finds some jumps that are none, and
// all that are.
bool takes_jump(std::span<const std::uint8_t> function) {
  if (function.size() < kJumpSize) return false;
  for (std::size_t i = 0; i + 1 < function.size(); ++i) {
    const std::uint8_t op = function[i];
    std::size_t length = 0;
    std::int64_t by = 0;
    if (op == kJumpShort || (op & 0xf0U) == X86Instruction::kJcc) {
      length = 2;
      by = signed_byte(function[i + 1]);
    } else if (op == kJumpNear) {
      length = kJumpSize;
      by = word_at(function, i + 1);
    } else if (op == kTwoBytes && (function[i + 1] & 0xf0U) == kJccNear) {
      length = kJumpSize + 1;
      by = word_at(function, i + 2);
    }
    const std::int64_t to = static_cast<std::int64_t>(i + length) + by;
    if (length != 0 && i + length <= function.size() && to >= 0 &&
        to < static_cast<std::int64_t>(kJumpSize))
      return false;
  }
  return true;
}

MovedEntry moved_entry(std::span<const std::uint8_t> function, std::uint64_t from,
                       std::uint64_t to) {
  MovedEntry moved;
  std::vector<std::uint8_t>& out = moved.code;
  std::size_t at = 0;
  while (at < kJumpSize) {
    const std::span<const std::uint8_t> code = function.subspan(std::min(at, function.size()));
    const X86Instruction now = decode_x86(code);
    constexpr std::uint8_t kCall = 0xe8;
    // Calls and jumps by a register or by memory are not expected here.
    if (now.length == 0 || now.opcode == kCall || now.opcode == 0xff) return {};
    moved.places.emplace_back(at, out.size());
    const std::uint64_t end = from + at + now.length;
    if (now.opcode == X86Instruction::kJcc) {
      const std::uint64_t target = end + static_cast<std::uint64_t>(std::int64_t{now.immediate});
      out.push_back(kTwoBytes);
      out.push_back(kJccNear | now.condition);
      append(out, distance(to + out.size() + sizeof(std::int32_t), target));
    } else {
      const std::size_t begin = out.size();
      out.insert(out.end(), code.begin(), code.begin() + static_cast<std::ptrdiff_t>(now.length));
      if (now.rip_offset_at != 0) {
        const std::int32_t offset = word_at(code, now.rip_offset_at);
        const std::uint64_t target = end + static_cast<std::uint64_t>(std::int64_t{offset});
        const std::int32_t by = distance(to + out.size(), target);
        std::memcpy(&out[begin + now.rip_offset_at], &by, sizeof by);
      }
    }
    at += now.length;
  }
  const auto back = jump(to + out.size(), from + at);
  out.insert(out.end(), back.begin(), back.end());
  return moved;
}

}  // namespace clockshim::cli
