// Finds other libraries that define the functions that we interpose. Without us, a library behind
// this one in the loader's search order (another entry of LD_PRELOAD, or one that the program is
// linked with) would have been called. It may have a time of its own, as libfaketime has, or count
// calls, so it is called with us, too.
#pragma once

#include "os/real_clock.h"

namespace clockshim {

struct NextClocks {
  const char* library =
      nullptr;  // the path of the first such library; null: there is none but the C library
  const char* function = nullptr;  // the first of our functions that it defines
  real::Functions functions{};     // null where the C library's own comes next
};

// Looks through the loaded modules, in the loader's order, from this library to the C library. A
// sanitizer's runtime is ignored, because it notes what is written and then calls the next library
// for the time. At start only, because it takes the loader's lock.
NextClocks find_next_clocks() noexcept;

}  // namespace clockshim
