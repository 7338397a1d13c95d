#include "cli/attach/occupied.h"

#include <algorithm>

#include "cli/inject/stopped_process.h"
#include "cli/inject/vdso.h"

namespace clockshim::cli {

Occupied::Occupied(pid_t pid, const StoppedProcess& process, const std::vector<MappedRange>& map) {
  for (const std::uint64_t pointer : process.stack_pointers()) read_stack(pid, pointer, map);
}

bool Occupied::anywhere_in(std::uint64_t begin, std::uint64_t end) const {
  return std::any_of(addresses_.begin(), addresses_.end(),
                     [&](std::uint64_t address) { return address >= begin && address < end; });
}

// As much of a stack as handlers that are at work now can have left: a frame of the kernel's has
// 11 KiB at most. Nothing behind the stack is read, which may be memory that one of these threads
// would have to provide (userfaultfd(2)).
void Occupied::read_stack(pid_t pid, std::uint64_t pointer, const std::vector<MappedRange>& map) {
  constexpr std::size_t kWord = sizeof(std::uint64_t);
  constexpr std::size_t kPage = 4096;
  constexpr std::size_t kPages = 16;
  std::uint64_t at = pointer / kWord * kWord;
  const auto mapped = std::find_if(map.begin(), map.end(), [at](const MappedRange& range) {
    return at >= range.begin && at < range.end;
  });
  const std::uint64_t last = mapped == map.end() ? at : mapped->end;
  for (std::size_t i = 0; i < kPages && at < last; ++i) {
    const std::uint64_t end = (at / kPage + 1) * kPage;
    const std::size_t before = addresses_.size();
    addresses_.resize(before + (end - at) / kWord);
    if (!read_memory(pid, at, &addresses_[before], end - at)) {
      addresses_.resize(before);
      break;
    }
    at = end;
  }
}

}  // namespace clockshim::cli
