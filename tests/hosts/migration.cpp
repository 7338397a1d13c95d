// Threads hand readings to each other through an atomic, and each moves to the next CPU every few
// readings: what it reads on one CPU may not be less than what it, or another, has read on any.
#include <thread>
#include <vector>

#include "exchange.h"

namespace {

constexpr long kStay = 64;  // readings on one CPU

std::vector<int> usable_cpus() {
  cpu_set_t set;
  HOST_EXPECT(sched_getaffinity(0, sizeof set, &set) == 0);
  std::vector<int> cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
  }
  return cpus;
}

void move_to(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  HOST_EXPECT(sched_setaffinity(0, sizeof set, &set) == 0);
}

}  // namespace

// THREADS CLOCK HANDOFFS
int main(int argc, char** argv) {
  HOST_EXPECT(argc == 4);
  const int threads = atoi(argv[1]);
  const clockid_t clock = atoi(argv[2]);
  const long wanted = atol(argv[3]);
  HOST_EXPECT(threads > 0 && threads <= kMaxId);
  const std::vector<int> cpus = usable_cpus();
  host_warm_up(clock);
  ByAtomic carrier;
  Common common;
  common.start = host_clock(clock);
  common.wanted_moves = wanted / 2;
  std::vector<std::thread> all;
  for (int id = 1; id <= threads; ++id) {
    all.emplace_back([&, id] {
      auto next = static_cast<std::size_t>(id);  // threads start apart, and then cross each other
      exchange(carrier, common, id, clock, wanted, [&](long turn) {
        if (turn % kStay != 0) return;
        move_to(cpus[next++ % cpus.size()]);
        common.moves.fetch_add(1);
      });
    });
  }
  for (auto& thread : all) thread.join();
  common.say();
  host_say("moves", common.moves);
  return 0;
}
