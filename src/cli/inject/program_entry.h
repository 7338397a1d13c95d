// Where a dynamic program begins: its loader goes there when all libraries are mapped and have run
// what they run at their start.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace clockshim::cli {

// A system call stands there instead of the first instruction until the process comes by. A
// breakpoint would be a signal, which could only be told from the program's own by changing what it
// does with those.
class ProgramEntry {
 public:
  // Of a traced process that stands still behind its exec. False: nothing is marked.
  bool mark(pid_t pid);
  // A process has stopped at a system call. True: at the mark, which is gone now, and the process
  // stands still at its first instruction.
  bool is_reached(pid_t pid);
  [[nodiscard]] bool marked() const { return at_ != 0; }

 private:
  std::uint64_t at_ = 0;  // 0: nothing is marked
  long original_ = 0;
};

}  // namespace clockshim::cli
