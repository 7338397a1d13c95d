// What an errno means, in the C library's own words. strerror() asks for a translation, which takes
// the locale's lock and allocates.
#pragma once

#include <string>

namespace clockshim {

std::string error_text(int error);

}  // namespace clockshim
