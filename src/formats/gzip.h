// gzip (RFC 1952). gzip.cpp alone includes zlib.
#pragma once

#include <string>

namespace clockshim {

// Compresses `bytes`. The result is the same each time, because it has no name and no time. Throws
// std::bad_alloc.
std::string gzip(const std::string& bytes);

}  // namespace clockshim
