#include "cli/warp_test.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <ctime>
#include <thread>

#include "arch/counter.h"
#include "cli/cpu_set.h"

namespace clockshim::cli {
namespace {

constexpr Nanos kLongestPair = milliseconds(20);  // as long as Linux takes
constexpr Nanos kShortestPair = milliseconds(2);
constexpr int kExtensions = 4;  // of a pair's time, where CPUs are busy with others
constexpr std::uint64_t kEnoughHandoffs = 200;
constexpr unsigned kSpinsToYield = 1024;  // the holder of the lock may have been preempted

// One line of the cache that the two threads fight for.
class alignas(64) Handover {
 public:
  void turn(int cpu, ReadCounter read, WarpPair& result) {
    for (unsigned spins = 1; locked_.test_and_set(std::memory_order_acquire); ++spins) {
      if (spins % kSpinsToYield == 0) sched_yield();
    }
    const Ticks handed = last_;
    const bool by_other = owner_ != cpu && owner_ >= 0;
    const Ticks now = read(cpu);
    last_ = now;
    owner_ = cpu;
    locked_.clear(std::memory_order_release);
    if (!by_other) return;
    ++result.handoffs;
    if (!(now - handed).backward()) return;
    ++result.backward;
    result.greatest = std::max(result.greatest, (handed - now).raw());
  }

 private:
  std::atomic_flag locked_;
  int owner_ = -1;
  Ticks last_;
};

struct Side {
  WarpPair seen;  // by this side
  std::atomic<std::uint64_t> handoffs{0};
  std::atomic<bool> refused{false};
};

void rest(Nanos length) {
  timespec left{length.raw() / kNanosPerSecond, length.raw() % kNanosPerSecond};
  while (nanosleep(&left, &left) != 0) {
  }
}

// False: not allowed on one of the CPUs, or next to no handoffs.
bool test_pair(WarpPair& pair, Nanos length, ReadCounter read) {
  Handover handover;
  std::atomic<bool> stop{false};
  Side sides[2];
  const auto run = [&](Side& side, int cpu) {
    if (!move_to(cpu)) side.refused.store(true, std::memory_order_relaxed);
    while (!stop.load(std::memory_order_relaxed) && !side.refused.load(std::memory_order_relaxed)) {
      handover.turn(cpu, read, side.seen);
      side.handoffs.store(side.seen.handoffs, std::memory_order_relaxed);
    }
  };
  std::thread first(run, std::ref(sides[0]), pair.first);
  std::thread second(run, std::ref(sides[1]), pair.second);
  const auto refused = [&] { return sides[0].refused.load() || sides[1].refused.load(); };
  const auto handoffs = [&] { return sides[0].handoffs.load() + sides[1].handoffs.load(); };
  for (int i = 0; i < kExtensions && !refused() && (i == 0 || handoffs() < kEnoughHandoffs); ++i) rest(length);
  stop.store(true);
  first.join();
  second.join();
  for (const Side& side : sides) {
    pair.handoffs += side.seen.handoffs;
    pair.backward += side.seen.backward;
    pair.greatest = std::max(pair.greatest, side.seen.greatest);
  }
  // A warp that was seen counts, however few the handoffs.
  return !refused() && (pair.handoffs >= kEnoughHandoffs || pair.backward > 0);
}

}  // namespace

Ticks counter_of(int /*cpu*/) { return Arch::ordered(); }

WarpPair WarpResult::worst() const {
  const auto found =
      std::max_element(pairs.begin(), pairs.end(), [](const WarpPair& a, const WarpPair& b) { return a.greatest < b.greatest; });
  return found == pairs.end() ? WarpPair{} : *found;
}

std::vector<WarpPair> plan_pairs(const std::vector<int>& cpus, std::size_t most) {
  std::vector<WarpPair> pairs;
  for (std::size_t distance = 1; distance < cpus.size(); ++distance) {
    for (std::size_t i = 0; i + distance < cpus.size(); ++i) {
      if (pairs.size() == most) return pairs;
      pairs.push_back({cpus[i], cpus[i + distance]});
    }
  }
  return pairs;
}

WarpResult test_warp(const std::vector<int>& cpus, Nanos budget, const std::function<void(std::size_t, std::size_t)>& progress,
                     ReadCounter read) {
  WarpResult result;
  const std::size_t all = cpus.size() < 2 ? 0 : cpus.size() * (cpus.size() - 1) / 2;
  const auto most = static_cast<std::size_t>(std::max<std::int64_t>(budget.raw() / kShortestPair.raw(), 1));
  const std::vector<WarpPair> plan = plan_pairs(cpus, most);
  if (plan.empty()) return result;
  const Nanos length = std::clamp(Nanos{budget.raw() / static_cast<std::int64_t>(plan.size())}, kShortestPair, kLongestPair);
  for (WarpPair pair : plan) {
    if (test_pair(pair, length, read)) result.pairs.push_back(pair);
    progress(result.pairs.size(), plan.size());
  }
  result.untested = all - result.pairs.size();
  return result;
}

}  // namespace clockshim::cli
