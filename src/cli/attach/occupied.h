// Where the threads of a stopped process may come back to: return addresses on their stacks, and
// what signal handlers have interrupted, which the kernel has put there.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

#include "cli/inject/memory_map.h"

namespace clockshim::cli {

class StoppedProcess;

class Occupied {
 public:
  // `map` is of shortly before.
  Occupied(pid_t pid, const StoppedProcess& process, const std::vector<MappedRange>& map);

  // Addresses of [begin, end).
  [[nodiscard]] bool anywhere_in(std::uint64_t begin, std::uint64_t end) const;

 private:
  void read_stack(pid_t pid, std::uint64_t pointer, const std::vector<MappedRange>& map);

  std::vector<std::uint64_t> addresses_;
};

}  // namespace clockshim::cli
