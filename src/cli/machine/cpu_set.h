// The CPUs that this thread may run on, and staying on one of them.
#pragma once

#include <sched.h>

#include <vector>

namespace clockshim::cli {

// In ascending order. Empty where the kernel refuses to tell (seccomp) or has more CPUs than a
// cpu_set_t holds.
std::vector<int> allowed_cpus();

// Moves the calling thread to one CPU; false where that is refused.
bool move_to(int cpu);

// While it lives, the calling thread stays on the CPU it was on, where the kernel lets it: counters
// of two CPUs need not agree.
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
