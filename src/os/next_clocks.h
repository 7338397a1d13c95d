// Who else defines the functions that we interpose. A library that stands behind this one in the
// loader's search order (another entry of LD_PRELOAD, or one that the program is linked with) would
// have been asked without us: it may have a time of its own, as libfaketime has, or count calls. It
// is asked with us, too.
#pragma once

#include "os/real_clock.h"

namespace clockshim {

struct NextClocks {
  const char* library =
      nullptr;  // path of the first such library; null: there is none but the C library
  const char* function = nullptr;  // the first function of ours that it defines
  real::Functions functions{};     // null where the C library's own is the next one
};

// Looks through the loaded modules, in the loader's order, from this library to the C library. Not
// counted: a sanitizer's runtime, which notes what is written and asks the next one for the time.
// At start only: takes the loader's lock.
NextClocks find_next_clocks() noexcept;

}  // namespace clockshim
