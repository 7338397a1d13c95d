// A jump that stands at the beginning of a function that others have looked up long ago, and what
// the jump displaces, moved elsewhere, so that the function can still be called.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace clockshim::cli {

inline constexpr std::size_t kJumpSize = 5;

// jmp rel32. The two must be within 2 GiB of each other.
std::array<std::uint8_t, kJumpSize> jump(std::uint64_t from, std::uint64_t to);
// Where the code jumps first thing, from address `from`; 0: it does not.
std::uint64_t target_of_jump(std::span<const std::uint8_t> code, std::uint64_t from);
bool within_jump(std::uint64_t from, std::uint64_t to);

// Whether an address is in the bytes that a jump at `entry` takes, but for the first: there the
// jump is the next instruction.
constexpr bool is_displaced(std::uint64_t address, std::uint64_t entry) {
  return address > entry && address < entry + kJumpSize;
}

// Whether a jump may stand at the beginning of this function: it is long enough, and no jump in it
// may lead back to what is displaced.
bool takes_jump(std::span<const std::uint8_t> function);

// What the jump displaces, moved.
struct MovedEntry {
  // The instructions, as they do the same in their new place, and a jump to those that follow.
  // Empty: there is one among them that is not known.
  std::vector<std::uint8_t> code{};
  // Where each of them was, from the function's beginning, and is, from the new place's.
  std::vector<std::pair<std::size_t, std::size_t>> places{};
};

// The instructions stand at `from` now, and are to stand at `to`.
MovedEntry moved_entry(std::span<const std::uint8_t> function, std::uint64_t from,
                       std::uint64_t to);

}  // namespace clockshim::cli
