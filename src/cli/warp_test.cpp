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
constexpr std::uint64_t kEnoughHandoffs = 200;
constexpr unsigned kSpinsToYield = 1024;  // the other may have been preempted

// The newest reading, and whose turn it is. Turns, not a lock: of two CPUs that fight for a lock one can win all the time.
class alignas(64) Handover {
 public:
  // Waits for this side's turn, takes it, and gives the turn to the other. False: stopped meanwhile.
  bool turn(int side, int cpu, ReadCounter read, const std::atomic<bool>& stop, WarpPair& result) {
    for (unsigned spins = 1; whose_.load(std::memory_order_acquire) != side; ++spins) {
      if (stop.load(std::memory_order_relaxed)) return false;
      __builtin_ia32_pause();  // leaves the core to the other where they share one; an emulator goes on to the next CPU
      if (spins % kSpinsToYield == 0) sched_yield();
    }
    const Ticks handed = newest_;
    const Ticks now = read(cpu);
    newest_ = now;
    whose_.store(1 - side, std::memory_order_release);
    if (!started_[side]) {  // what it was handed may be nobody's reading yet
      started_[side] = true;
      return true;
    }
    ++result.handoffs;
    if (!(now - handed).backward()) return true;
    ++result.backward;
    result.greatest = std::max(result.greatest, (handed - now).raw());
    return true;
  }

 private:
  std::atomic<int> whose_{0};
  Ticks newest_;
  bool started_[2] = {};
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

// For `length`, up to `patience` where the CPUs are busy with others. False: not allowed on one of them, or next to no handoffs.
bool test_pair(WarpPair& pair, Nanos length, Nanos patience, ReadCounter read) {
  Handover handover;
  std::atomic<bool> stop{false};
  Side sides[2];
  const auto run = [&](int number, int cpu) {
    Side& side = sides[number];
    if (!move_to(cpu)) {
      side.refused.store(true);
      return;
    }
    while (!stop.load(std::memory_order_relaxed) && handover.turn(number, cpu, read, stop, side.seen)) {
      side.handoffs.store(side.seen.handoffs, std::memory_order_relaxed);
    }
  };
  std::thread first(run, 0, pair.first);
  std::thread second(run, 1, pair.second);
  const auto refused = [&] { return sides[0].refused.load() || sides[1].refused.load(); };
  const auto handoffs = [&] { return sides[0].handoffs.load() + sides[1].handoffs.load(); };
  Nanos spent = length;
  for (rest(length); !refused() && handoffs() < kEnoughHandoffs && spent < patience; spent = spent + length) rest(length);
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
  const Nanos patience{budget.raw() / static_cast<std::int64_t>(plan.size())};
  const Nanos length = std::clamp(patience, kShortestPair, kLongestPair);
  for (WarpPair pair : plan) {
    if (test_pair(pair, length, patience, read)) result.pairs.push_back(pair);
    progress(result.pairs.size(), plan.size());
  }
  result.untested = all - result.pairs.size();
  return result;
}

}  // namespace clockshim::cli
