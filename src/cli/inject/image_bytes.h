// The image's file, which is a part of the command: there is nothing to look for at run time.
#pragma once

#include <cstddef>
#include <span>

namespace clockshim::cli {

std::span<const std::byte> image_bytes();

}  // namespace clockshim::cli
