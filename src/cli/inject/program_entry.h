// Where a dynamic program begins: its loader goes there when all libraries are mapped and have run
// what they run at their start.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace clockshim::cli {

// A breakpoint of the CPU's, of the process's first thread alone: no code is changed, which others
// might run or read (a forked child, a loader that relocates it), and nothing is slower until then.
// It is told by SIGTRAP, which the kernel would unblock for that and no longer ignore. So where the
// program has inherited it blocked or ignored, there is none.
class ProgramEntry {
 public:
  // Of a traced process that stands still behind its exec. False: nothing is marked.
  bool mark(pid_t pid);
  // A process has stopped by SIGTRAP. True: that is the mark, which is gone now, and the process
  // stands still at its first instruction.
  bool is_reached(pid_t pid);
  // Removes the mark of a process that stands still.
  void clear(pid_t pid);

 private:
  std::uint64_t at_ = 0;  // 0: nothing is marked
};

}  // namespace clockshim::cli
