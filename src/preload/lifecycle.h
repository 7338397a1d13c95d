// What start and exit share with the exported functions.
#pragma once

namespace clockshim {

// True with CLOCKSHIM_PROFILE=off. It is false before the constructor, so calls are counted until
// the constructor decides.
extern constinit bool g_uncounted;

}  // namespace clockshim
