#include "cli/console/terminal_width.h"

#include <sys/ioctl.h>

#include <algorithm>

namespace clockshim::cli {

std::size_t terminal_width(int descriptor) {
  constexpr std::size_t kLeast = 60;
  constexpr std::size_t kMost = 200;
  struct winsize size {};
  if (ioctl(descriptor, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 0;
  return std::clamp<std::size_t>(size.ws_col, kLeast, kMost);
}

}  // namespace clockshim::cli
