#include "cli/machine/cpu_set.h"

namespace clockshim::cli {

std::vector<int> allowed_cpus() {
  cpu_set_t set;
  std::vector<int> cpus;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(static_cast<std::size_t>(cpu), &set)) cpus.push_back(cpu);
  }
  return cpus;
}

bool move_to(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<std::size_t>(cpu), &set);
  return sched_setaffinity(0, sizeof set, &set) == 0;
}

StayHere::StayHere() : known_(sched_getaffinity(0, sizeof before_, &before_) == 0) {
  const int cpu = sched_getcpu();
  if (known_ && cpu >= 0) move_to(cpu);
}

StayHere::~StayHere() {
  if (known_) sched_setaffinity(0, sizeof before_, &before_);
}

}  // namespace clockshim::cli
