#include "cli/machine/warp_probe.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <limits>
#include <system_error>
#include <thread>

#include "arch/counter.h"
#include "cli/machine/cpu_set.h"
#include "cli/machine/timing.h"

namespace clockshim::cli {
namespace {

constexpr Nanos kLongestPair = milliseconds(20);  // as long as Linux takes
constexpr Nanos kShortestPair = milliseconds(2);
constexpr unsigned kSpinsToPause = 64;
constexpr unsigned kSpinsToYield = 4096;  // the other thread may have been preempted

// What one thread of a pair has seen. A third thread reads it meanwhile.
struct Side {
  std::atomic<std::uint64_t> handoffs{0};
  std::atomic<std::uint64_t> backward{0};
  // The minimum of reading - handed-over reading. Each such difference is the time that the handoff
  // took, plus the offset by which this CPU is ahead of the other.
  std::atomic<std::int64_t> least{std::numeric_limits<std::int64_t>::max()};
  std::atomic<bool> refused{false};

  void note(std::int64_t difference) {
    handoffs.store(handoffs.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    if (difference < 0)
      backward.store(backward.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    if (difference < least.load(std::memory_order_relaxed))
      least.store(difference, std::memory_order_relaxed);
  }
};

// The newest reading, and which side's turn it is. It uses turns instead of a lock, because one of
// two CPUs that fight for a lock can win all the time.
class alignas(64) Handover {
 public:
  // Waits for this side's turn, takes it, and gives the turn to the other. False: the test was
  // stopped.
  bool turn(int side, int cpu, ReadCounter read, const std::atomic<bool>& stop, Side& seen) {
    for (unsigned spins = 1; whose_.load(std::memory_order_acquire) != side; ++spins) {
      if (stop.load(std::memory_order_relaxed)) return false;
      // The pause leaves the core to the other thread if they share one. In an emulator it takes a
      // lock, so it is not used while the other is about to answer.
      if (spins % kSpinsToPause == 0) __builtin_ia32_pause();
      if (spins % kSpinsToYield == 0) sched_yield();
    }
    const Ticks handed = newest_;
    const bool by_other = started_;
    newest_ = read(cpu);
    started_ = true;
    const auto difference = static_cast<std::int64_t>((newest_ - handed).raw());
    whose_.store(1 - side, std::memory_order_release);
    if (by_other) seen.note(difference);
    return true;
  }

 private:
  std::atomic<int> whose_{0};
  Ticks newest_;
  bool started_ = false;
};

}  // namespace

bool test_pair(WarpPair& pair, const PairTest& how, ReadCounter read) {
  Handover handover;
  std::atomic<bool> stop{false};
  Side sides[2];
  const auto run = [&](int number, int cpu) {
    Side& side = sides[number];
    if (!move_to(cpu)) {
      side.refused.store(true);
      return;
    }
    while (!stop.load(std::memory_order_relaxed) && handover.turn(number, cpu, read, stop, side)) {
    }
  };
  std::thread first;
  std::thread second;
  try {
    first = std::thread(run, 0, pair.first);
    second = std::thread(run, 1, pair.second);
  } catch (const std::system_error&) {  // this user may have no more threads
    stop.store(true);
    if (first.joinable()) first.join();
    return false;
  }
  const auto refused = [&] { return sides[0].refused.load() || sides[1].refused.load(); };
  // A handoff cannot take negative time, so neither CPU is ahead of the other by more than its
  // minimum difference.
  const auto at_most = [&] { return std::max(sides[0].least.load(), sides[1].least.load()); };
  const auto warped = [&] { return sides[0].backward.load() + sides[1].backward.load() > 0; };
  const auto handoffs = [&] { return sides[0].handoffs.load() + sides[1].handoffs.load(); };
  const auto agree = [&] {
    return at_most() <= static_cast<std::int64_t>(how.enough.raw()) && handoffs() >= how.handoffs;
  };
  // The sum of the minimum differences is the time of two handoffs. Short ones bound the difference
  // of the counters.
  const auto shortest = [&] {
    return static_cast<double>(sides[0].least.load()) + static_cast<double>(sides[1].least.load());
  };
  const auto settled = [&] {
    return agree() || (warped() && shortest() <= 2 * static_cast<double>(how.enough.raw()));
  };
  Nanos spent = how.length;
  for (rest(how.length); !refused() && !settled() && spent < how.patience;
       spent = spent + how.length)
    rest(how.length);
  stop.store(true);
  first.join();
  second.join();
  for (const Side& side : sides) {
    pair.handoffs += side.handoffs.load();
    pair.backward += side.backward.load();
    if (side.least.load() < 0)
      pair.greatest = std::max(pair.greatest, static_cast<std::uint64_t>(-side.least.load()));
  }
  pair.to_first = sides[0].least.load();
  pair.to_second = sides[1].least.load();
  pair.within = static_cast<std::uint64_t>(std::max<std::int64_t>(at_most(), 0));
  return !refused() && (agree() || warped());
}

Ticks counter_of(int /*cpu*/) { return Arch::ordered(); }

WarpPair WarpResult::worst() const {
  const auto found = std::max_element(
      pairs.begin(), pairs.end(),
      [](const WarpPair& a, const WarpPair& b) { return a.greatest < b.greatest; });
  return found == pairs.end() ? WarpPair{} : *found;
}

std::uint64_t WarpResult::within() const {
  std::uint64_t widest = 0;
  for (const WarpPair& pair : pairs) widest = std::max(widest, pair.within);
  return widest;
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

WarpResult probe_warp(const std::vector<int>& cpus, Nanos budget, TickDelta enough,
                      const std::function<void(std::size_t, std::size_t)>& progress,
                      ReadCounter read) {
  WarpResult result;
  const std::size_t all = cpus.size() < 2 ? 0 : cpus.size() * (cpus.size() - 1) / 2;
  const auto most =
      static_cast<std::size_t>(std::max<std::int64_t>(budget.raw() / kShortestPair.raw(), 1));
  const std::vector<WarpPair> plan = plan_pairs(cpus, most);
  if (plan.empty()) return result;
  const Nanos patience{budget.raw() / static_cast<std::int64_t>(plan.size())};
  const Nanos length = std::clamp(patience, kShortestPair, kLongestPair);
  for (WarpPair pair : plan) {
    if (test_pair(pair, {length, patience, enough}, read)) result.pairs.push_back(pair);
    progress(result.pairs.size(), plan.size());
  }
  result.untested = all - result.pairs.size();
  return result;
}

}  // namespace clockshim::cli
