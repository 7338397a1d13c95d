// gzip (RFC 1952). gzip.cpp alone includes zlib.
#pragma once

#include <string>

namespace clockshim {

// Throws std::bad_alloc. The same bytes each time: no name, no time of writing.
std::string gzip(const std::string& bytes);

}  // namespace clockshim
