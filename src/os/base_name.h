// The last part of a path.
#pragma once

#include <string>

namespace clockshim {

// What follows the last slash: all of `path` if it has none, "" if it ends in one.
inline std::string base_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

}  // namespace clockshim
