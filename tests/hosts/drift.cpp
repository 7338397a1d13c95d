// Threads hand readings to each other while the counters of odd CPUs begin to drift, as the
// library's test build lets them.
#include <dlfcn.h>

#include <thread>
#include <vector>

#include "exchange.h"

namespace {

// As the library has it (tests/planted/planted_counter.h).
struct PlantedDrift {
  std::atomic<uint64_t> from;
  std::atomic<int64_t> ppm;
};

}  // namespace

// THREADS PPM MS: the drift begins after a fifth of the time.
int main(int argc, char** argv) {
  HOST_EXPECT(argc == 4);
  const int threads = atoi(argv[1]);
  const int64_t ppm = atol(argv[2]);
  const int64_t length = atol(argv[3]) * 1'000'000;
  HOST_EXPECT(threads > 1 && threads <= kMaxId);
  auto* drift = static_cast<PlantedDrift*>(dlsym(RTLD_DEFAULT, "clockshim_planted_drift"));
  host_warm_up(CLOCK_MONOTONIC);
  const int64_t start = host_real_clock(CLOCK_MONOTONIC);
  const int64_t drifts = start + length / 5;
  const int64_t ends = start + length;
  ByAtomic carrier;
  Common common;
  std::atomic<long> before{};
  std::atomic<int64_t> first{};
  std::atomic<int64_t> last{};
  common.start = host_clock(CLOCK_MONOTONIC);
  const auto run = [&](int id) {
    cpu_set_t here;
    CPU_ZERO(&here);
    CPU_SET(static_cast<size_t>(id % 2), &here);
    sched_setaffinity(0, sizeof here, &here);  // where the CPUs are others, the scheduler decides
    int64_t mine = 0;
    for (long turn = 0; turn % 64 != 0 || host_real_clock(CLOCK_MONOTONIC) < ends; ++turn) {
      const Word seen = carrier.take();
      const int64_t now = host_clock(CLOCK_MONOTONIC) - common.start;
      if (now < std::max(seen.reading, mine)) {
        const int64_t when = host_real_clock(CLOCK_MONOTONIC);
        if (when < drifts) before.fetch_add(1);
        int64_t none = 0;
        first.compare_exchange_strong(none, when);
        last.store(when);
      }
      common.compare(now, std::max(seen.reading, mine));
      mine = now;
      carrier.give({now, id});
      if (seen.who != id && seen.who != 0) common.handoffs.fetch_add(1, std::memory_order_relaxed);
      common.readings.fetch_add(1, std::memory_order_relaxed);
    }
  };
  std::vector<std::thread> all;
  for (int id = 1; id <= threads; ++id) all.emplace_back(run, id);
  while (host_real_clock(CLOCK_MONOTONIC) < drifts) usleep(1000);
  if (drift != nullptr) {
    drift->ppm.store(ppm);
    drift->from.store(__builtin_ia32_rdtsc());
  }
  for (auto& thread : all) thread.join();
  common.say();
  host_say("planted", drift != nullptr);
  host_say("backward_before", before);
  host_say("first_after_us", first == 0 ? 0 : (first - drifts) / 1000);
  host_say("last_after_us", last == 0 ? 0 : (last - drifts) / 1000);
  return 0;
}
