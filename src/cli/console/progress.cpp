#include "cli/console/progress.h"
#include "os/write.h"

#include <unistd.h>

namespace clockshim::cli {
namespace {
constexpr const char* kClearLine = "\r\033[K";
}

Progress::Progress() : on_(isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() {
  if (shown_) write_all(STDERR_FILENO, kClearLine);
}

void Progress::show(const std::string& what) {
  if (!on_) return;
  shown_ = true;
  write_all(STDERR_FILENO, kClearLine + what);
}

}  // namespace clockshim::cli
