// Threads hand readings to each other through an atomic. Whoever has seen another's reading reads later: never less.
// Ends after so many handoffs, or after fifty times as many readings: where the threads share one CPU, handoffs are rare.
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include "host.h"

namespace {

constexpr int kIdBits = 3;
constexpr long kPatience = 50;
constexpr long kTurns = 1024;               // between two looks at the common counts
constexpr int kAlone = 64;                  // own readings in a row, after which the CPU is offered to the others
alignas(64) std::atomic<int64_t> g_newest;  // a reading, and in the low bits who took it
alignas(64) std::atomic<long> g_handoffs;   // readings that came from another thread
std::atomic<long> g_readings;
int64_t g_start;  // so that a reading leaves room for the thread's number
std::atomic<long> g_backward;
std::atomic<int64_t> g_worst;

void exchange(int id, clockid_t clock, long wanted) {
  long handoffs = 0;
  int alone = 0;
  for (long turn = 1;; ++turn) {
    const int64_t word = g_newest.load(std::memory_order_acquire);
    const int64_t seen = word >> kIdBits;
    const int64_t now = host_clock(clock) - g_start;
    if ((word & ((1 << kIdBits) - 1)) != id) {
      ++handoffs;
      alone = 0;
    } else {
      ++alone;
    }
    if (now < seen) {
      g_backward.fetch_add(1);
      g_worst = std::max(g_worst.load(), seen - now);
    }
    g_newest.store(now << kIdBits | id, std::memory_order_release);
    if (alone == kAlone) {
      alone = 0;
      sched_yield();
    }
    if (turn % kTurns != 0) continue;
    const long readings = g_readings.fetch_add(kTurns) + kTurns;
    if (g_handoffs.fetch_add(handoffs) + handoffs >= wanted || readings >= kPatience * wanted) return;
    handoffs = 0;
  }
}

}  // namespace

// THREADS CLOCK HANDOFFS
int main(int argc, char** argv) {
  HOST_EXPECT(argc == 4);
  const int threads = atoi(argv[1]);
  const clockid_t clock = atoi(argv[2]);
  HOST_EXPECT(threads > 1 && threads < 1 << kIdBits);
  host_warm_up(clock);
  g_start = host_clock(clock);
  std::vector<std::thread> all;
  for (int id = 0; id < threads; ++id) all.emplace_back(exchange, id, clock, atol(argv[3]));
  for (auto& thread : all) thread.join();
  host_say("handoffs", g_handoffs);
  host_say("backward", g_backward);
  host_say("worst", g_worst);
  return 0;
}
