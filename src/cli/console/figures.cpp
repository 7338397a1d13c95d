#include "cli/console/figures.h"

#include <cstdio>

namespace clockshim::cli {

std::string printed(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

}  // namespace clockshim::cli
