// What the exported functions share with start and exit.
#pragma once

namespace clockshim {

// CLOCKSHIM_PROFILE=off. Zero before the constructor: calls are counted until it says otherwise.
extern constinit bool g_uncounted;

}  // namespace clockshim
