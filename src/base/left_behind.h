// Detects that the holder of a lock-like word will never release it. A thread holds such a word
// while it writes what belongs to it, and a signal handler may jump over that code (siglongjmp). So
// each holder notes the address of its frame. Two frames that both exist have no address in common.
// So if the holder's note lies within the frames of the thread that finds it, the holder is gone
// for good. If not, nothing is known.
#pragma once

#include <cstdint>

#include "base/attributes.h"

namespace clockshim {

// The address of the calling function's frame.
CLOCKSHIM_INLINE std::uintptr_t this_frame() noexcept {
  return reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
}

// Whether the holder is gone. `note` is its this_frame(), `here` is the caller's, and `top` is an
// address in a frame that the caller will return to: everything between `here` and `top` is in use.
constexpr bool is_left_behind(std::uintptr_t note, std::uintptr_t here,
                              std::uintptr_t top) noexcept {
  return here < top && note - here < top - here;
}

}  // namespace clockshim
