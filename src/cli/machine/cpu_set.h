// The CPUs that this thread may run on, and how to stay on one of them.
#pragma once

#include <sched.h>

#include <vector>

namespace clockshim::cli {

// The allowed CPUs in ascending order. Empty if the kernel refuses to say (seccomp) or has more
// CPUs than a cpu_set_t holds.
std::vector<int> allowed_cpus();

// Moves the calling thread to one CPU; false: the kernel refuses.
bool move_to(int cpu);

// While it exists, the calling thread stays on its CPU, if the kernel allows that: the counters of
// two CPUs need not agree.
class StayHere {
 public:
  StayHere();
  ~StayHere();
  StayHere(const StayHere&) = delete;
  StayHere& operator=(const StayHere&) = delete;

 private:
  cpu_set_t before_{};
  bool known_;
};

}  // namespace clockshim::cli
