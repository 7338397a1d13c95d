#include "cli/inject/load_check.h"

#include <fcntl.h>
#include <unistd.h>

#include <utility>

#include "os/log.h"

namespace clockshim::cli {
namespace {

constexpr long kLastWaitMs = 512;  // 1 + 2 + 4 + ... + 512: a second in all, in at most ten looks
constexpr std::size_t kMapBytes = 1 << 16;

}  // namespace

LoadCheck::LoadCheck(std::string library, std::string name, LogLevel limit)
    : library_(std::move(library)),
      name_(std::move(name)),
      limit_(limit),
      settled_(library_.empty()) {}

timespec LoadCheck::patience() const { return {0, wait_ms_ * 1'000'000}; }

void LoadCheck::look(pid_t pid) {
  const Mapped mapped = is_mapped(pid, library_);
  settled_ = mapped == Mapped::yes || wait_ms_ >= kLastWaitMs;
  if (settled_ && mapped == Mapped::no) {
    say(LogLevel::warn, limit_,
        name_ + " (process " + std::to_string(pid) +
            ") has not loaded the shim within a second: it runs without");
  }
  wait_ms_ *= 2;
}

Mapped is_mapped(pid_t pid, const std::string& path) {
  const int fd = open(("/proc/" + std::to_string(pid) + "/maps").c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return Mapped::unknown;
  // Only the name is compared, because the same file may have another path in a container, and
  // another device on an overlay.
  const std::string wanted = path.substr(path.rfind('/')) + "\n";
  std::string text;
  bool found = false;
  bool any = false;
  ssize_t got;
  std::string piece(kMapBytes, '\0');
  while (!found && (got = read(fd, piece.data(), piece.size())) > 0) {
    any = true;
    text.append(piece, 0, static_cast<std::size_t>(got));
    found = text.find(wanted) != std::string::npos;
    if (text.size() > wanted.size()) text.erase(0, text.size() - wanted.size());
  }
  close(fd);
  if (!any) return Mapped::unknown;  // the process has ended, or we must not read its map
  return found ? Mapped::yes : Mapped::no;
}

}  // namespace clockshim::cli
