// The text for an errno, in the C library's own words. strerror() would look for a translation,
// which takes the locale's lock and allocates.
#pragma once

#include <string>

namespace clockshim {

std::string error_text(int error);

}  // namespace clockshim
