// Who holds a word for a moment, because he is writing what stands beside it, may never come back
// to give it free: a signal handler has jumped over him (siglongjmp). So he notes where his frame
// is. Two frames that are both alive have no address in common: where the note of a holder is in
// the frames of who finds it, he is gone for good. Where it isn't, nothing is known.
#pragma once

#include <cstdint>

#include "base/attributes.h"

namespace clockshim {

// The address of the calling function's frame.
CLOCKSHIM_INLINE std::uintptr_t this_frame() noexcept {
  return reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
}

// `note` is a holder's this_frame(), `here` that of the caller, and `top` an address in one of the
// frames that the caller will return to: all between them is in use.
constexpr bool is_left_behind(std::uintptr_t note, std::uintptr_t here,
                              std::uintptr_t top) noexcept {
  return here < top && note - here < top - here;
}

}  // namespace clockshim
