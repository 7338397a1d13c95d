// How wide the lines are that a person reads.
#pragma once

#include <cstddef>

namespace clockshim::cli {

// The columns of the terminal that this descriptor is, between 60 and 200; 0: it is no terminal, or
// does not know its size.
std::size_t terminal_width(int descriptor);

}  // namespace clockshim::cli
