#include "cli/inject/load_check.h"

#include <utility>

#include "os/log.h"
#include "os/read_file.h"

namespace clockshim::cli {
namespace {

constexpr long kLastWaitMs = 512;  // 1 + 2 + 4 + ... + 512: a second in all, in at most ten looks

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
  const std::string maps = content_of("/proc/" + std::to_string(pid) + "/maps");
  if (maps.empty()) return Mapped::unknown;  // the process has ended, or we must not read its map
  // Only the name is compared, because the same file may have another path in a container, and
  // another device on an overlay.
  const std::string wanted = path.substr(path.rfind('/')) + "\n";
  return maps.find(wanted) != std::string::npos ? Mapped::yes : Mapped::no;
}

}  // namespace clockshim::cli
