#include "cli/console/output.h"

#include <unistd.h>

#include <cerrno>

#include "os/write.h"

namespace clockshim::cli {
namespace {

bool g_printed = false;
int g_error = 0;

}  // namespace

bool print(const std::string& text) {
  if (text.empty()) return g_error == 0;
  g_printed = true;
  if (g_error == 0) g_error = write_all(STDOUT_FILENO, text);
  return g_error == 0;
}

int finish_output() {
  if (g_printed && close(STDOUT_FILENO) != 0 && g_error == 0) g_error = errno;
  g_printed = false;
  return g_error == EPIPE ? 0 : g_error;
}

}  // namespace clockshim::cli
