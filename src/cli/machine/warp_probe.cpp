#include "cli/machine/warp_probe.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <limits>
#include <map>
#include <system_error>
#include <thread>

#include "arch/counter.h"
#include "cli/machine/cpu_set.h"
#include "cli/machine/timing.h"
#include "os/real_clock.h"

namespace clockshim::cli {
namespace {

constexpr unsigned kSpinsToPause = 64;
constexpr unsigned kSpinsToLook = 4096;
// The other thread may have been preempted. Each has a CPU of its own, so to yield does not bring
// it back; and where both yield at once, they hardly ever run at the same time on a busy machine.
// So it is done late, after some 500 us.
constexpr unsigned kSpinsToYield = 1U << 18;
constexpr std::uint64_t kTurnsPerLook = 16;
// A pair that is not done after so many times the usual length is put off, and so is one whose
// other side does not come for half as long.
constexpr std::uint64_t kLengthsUntilPutOff = 4;
// Within a view a drift of this much, 1000 ppm, may move the counters.
constexpr std::uint64_t kSteadyParts = 1000;
constexpr std::int64_t kNothing = std::numeric_limits<std::int64_t>::max();

// What one side sees within kTurnsOfView of its turns, some 20 us.
struct View {
  static constexpr std::uint64_t kTurns = 64;
  std::uint64_t number = 0;  // which so many turns
  std::uint64_t turns = 0;
  std::int64_t least = kNothing;
  Ticks begin;
  Ticks end;
};

// What one thread of a pair has seen. The other side's thread reads the atomics meanwhile.
struct alignas(64) Side {
  std::atomic<std::uint64_t> handoffs{0};
  std::atomic<std::uint64_t> backward{0};
  // The minimum of reading - handed-over reading. Each such difference is the time that the handoff
  // took, plus the offset by which this CPU is ahead of the other.
  std::atomic<std::int64_t> least{kNothing};
  // Both sides number their turns alike, so views of the same number are of the same time.
  View first[2];
  View last[2];

  void note(std::int64_t difference, Ticks reading) {
    const std::uint64_t number = handoffs.load(std::memory_order_relaxed);
    handoffs.store(number + 1, std::memory_order_relaxed);
    if (difference < 0)
      backward.store(backward.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    if (difference < least.load(std::memory_order_relaxed))
      least.store(difference, std::memory_order_relaxed);
    const std::uint64_t view = number / View::kTurns;
    add(view < 2 ? first[view] : last[view % 2], view, difference, reading);
  }

 private:
  static void add(View& view, std::uint64_t number, std::int64_t difference, Ticks reading) {
    if (view.number != number || view.turns == 0) {
      view = View{};
      view.number = number;
      view.begin = reading;
    }
    ++view.turns;
    view.least = std::min(view.least, difference);
    view.end = reading;
  }
};

struct Limits {
  const PassTest& how;
  ReadCounter read;
  std::uint64_t length;  // in ticks
  std::uint64_t view;    // the longest that a view may have taken
  std::atomic<bool> stop{false};
};

// The newest reading of two CPUs, and which side's turn it is. It uses turns instead of a lock,
// because one of two CPUs that fight for a lock can win all the time.
class alignas(64) Meeting {
 public:
  explicit Meeting(WarpPair& pair) : pair_(pair) {}

  [[nodiscard]] int cpu(int side) const { return side == 0 ? pair_.first : pair_.second; }
  [[nodiscard]] bool over() const { return over_.load(std::memory_order_relaxed); }
  void call_off() { over_.store(true, std::memory_order_relaxed); }

  // Takes turns until enough is known, or this side loses patience. May be called again then.
  void attend(int side, const Limits& limits) {
    const unsigned entered = put_off_.load(std::memory_order_relaxed);
    const std::uint64_t start = Arch::ordered().raw();
    for (std::uint64_t turns = 1; wait_for_turn(side, entered, limits); ++turns) {
      take_turn(side, limits);
      if (side == 0 && turns % kTurnsPerLook == 0 && decide(start, limits)) return;
    }
  }

  void tell(const Limits& limits) {
    for (const Side& side : sides_) {
      pair_.handoffs += side.handoffs.load();
      pair_.backward += side.backward.load();
      if (side.least.load() < 0)
        pair_.greatest = std::max(pair_.greatest, static_cast<std::uint64_t>(-side.least.load()));
    }
    pair_.proved = proved_;
    pair_.to_first = sides_[0].least.load();
    pair_.to_second = sides_[1].least.load();
    pair_.within = static_cast<std::uint64_t>(
        std::max({pair_.to_first, pair_.to_second, static_cast<std::int64_t>(0)}));
    for (const int i : {0, 1}) tell(sides_[0].first[i], sides_[1].first[i], limits);
    const int older = sides_[0].last[0].number < sides_[0].last[1].number ? 0 : 1;
    for (const int i : {older, 1 - older}) tell(sides_[0].last[i], sides_[1].last[i], limits);
    if (pair_.glimpses.size() > 2)
      pair_.glimpses.erase(pair_.glimpses.begin() + 1, pair_.glimpses.end() - 1);
  }

 private:
  // False: this side is to leave.
  bool wait_for_turn(int side, unsigned entered, const Limits& limits) {
    std::uint64_t alone_since = 0;
    for (unsigned spins = 1; whose_.load(std::memory_order_acquire) != side; ++spins) {
      if (limits.stop.load(std::memory_order_relaxed) || over() ||
          put_off_.load(std::memory_order_relaxed) != entered)
        return false;
      // The pause leaves the core to the other thread if they share one. In an emulator it takes a
      // lock, so it is not used while the other is about to answer.
      if (spins % kSpinsToPause == 0) __builtin_ia32_pause();
      if (spins % kSpinsToYield == 0) sched_yield();
      if (spins % kSpinsToLook == 0) {
        const std::uint64_t now = Arch::ordered().raw();
        if (alone_since == 0) alone_since = now;
        if (now - alone_since > limits.length * kLengthsUntilPutOff / 2) return false;
      }
    }
    return true;
  }

  void take_turn(int side, const Limits& limits) {
    const Ticks handed = newest_;
    const bool by_other = started_;
    const Ticks reading = limits.read(cpu(side));
    newest_ = reading;
    started_ = true;
    whose_.store(1 - side, std::memory_order_release);
    if (by_other) sides_[side].note(static_cast<std::int64_t>((reading - handed).raw()), reading);
  }

  // True: this side is to leave, because enough is known, or too much time has gone.
  bool decide(std::uint64_t start, const Limits& limits) {
    const std::uint64_t spent = Arch::ordered().raw() - start;
    if (spent < limits.length) return false;
    const std::int64_t there = sides_[1].least.load(std::memory_order_relaxed);
    const std::int64_t back = sides_[0].least.load(std::memory_order_relaxed);
    const std::uint64_t handoffs = sides_[0].handoffs.load(std::memory_order_relaxed) +
                                   sides_[1].handoffs.load(std::memory_order_relaxed);
    // The sum of the minimum differences is the time of two handoffs, whatever the offset.
    const double both = static_cast<double>(there) + static_cast<double>(back);
    if (handoffs >= limits.how.handoffs &&
        both <= 2 * static_cast<double>(limits.how.enough.raw())) {
      proved_ = true;
      call_off();
      return true;
    }
    if (spent < limits.length * kLengthsUntilPutOff) return false;
    put_off_.fetch_add(1, std::memory_order_relaxed);
    return true;
  }

  void tell(const View& to_first, const View& to_second, const Limits& limits) {
    const std::uint64_t took = (to_first.end - to_first.begin).raw();
    const std::uint64_t longest = std::max(took, (to_second.end - to_second.begin).raw());
    if (to_first.turns < View::kTurns / 2 || to_second.turns < View::kTurns / 2 ||
        to_first.number != to_second.number || longest > limits.view)
      return;
    const auto slack = static_cast<std::int64_t>(longest / kSteadyParts);
    pair_.glimpses.push_back(
        {to_first.begin + TickDelta{took / 2}, to_first.least + slack, to_second.least + slack});
  }

  std::atomic<int> whose_{0};
  Ticks newest_;
  bool started_ = false;
  // From here on, another line: it is read while one waits.
  alignas(64) std::atomic<bool> over_{false};
  std::atomic<unsigned> put_off_{0};
  bool proved_ = false;
  WarpPair& pair_;
  Side sides_[2];
};

struct Part {
  Meeting* meeting;
  int side;
};

// All meetings of one CPU, in the order of the rounds.
void attend_all(int cpu, const std::vector<Part>& parts, const Limits& limits) {
  if (!move_to(cpu)) {
    for (const Part& part : parts) part.meeting->call_off();
    return;
  }
  // Again and again, because a CPU may be busy for a while.
  for (bool all = false; !all && !limits.stop.load(std::memory_order_relaxed);) {
    all = true;
    for (const Part& part : parts) {
      if (part.meeting->over()) continue;
      part.meeting->attend(part.side, limits);
      all = all && part.meeting->over();
    }
  }
}

}  // namespace

void CpuComparer::compare(std::vector<Round>& rounds, const PassTest& how) {
  constexpr Nanos kLongestView = microseconds(100);
  const auto ticks = [&](Nanos n) {
    return static_cast<std::uint64_t>(static_cast<double>(n.raw()) / ns_per_tick_);
  };
  Limits limits{how, read_, ticks(how.length), ticks(kLongestView)};
  std::deque<Meeting> meetings;
  std::map<int, std::vector<Part>> parts;
  for (Round& round : rounds) {
    for (WarpPair& pair : round) {
      meetings.emplace_back(pair);
      parts[pair.first].push_back({&meetings.back(), 0});
      parts[pair.second].push_back({&meetings.back(), 1});
    }
  }
  std::atomic<std::size_t> at_work{parts.size()};
  std::vector<std::thread> threads;
  Nanos start;
  real::read(CLOCK_MONOTONIC, start);
  try {
    for (const auto& [cpu, its_parts] : parts) {
      threads.emplace_back([cpu = cpu, &its_parts = its_parts, &limits, &at_work] {
        attend_all(cpu, its_parts, limits);
        at_work.fetch_sub(1);
      });
    }
    const Nanos usual{how.length.raw() * static_cast<std::int64_t>(rounds.size())};
    rest(usual);
    constexpr Nanos kLook = microseconds(500);
    for (Nanos now = start; at_work.load() > 0 && now - start < usual + how.patience;
         real::read(CLOCK_MONOTONIC, now))
      rest(kLook);
  } catch (const std::system_error&) {  // this user may have no more threads
  }
  limits.stop.store(true);
  for (std::thread& thread : threads) thread.join();
  for (Meeting& meeting : meetings) meeting.tell(limits);
}

void CpuComparer::pause(Nanos length) { rest(length); }

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

std::vector<Round> plan_rounds(const std::vector<int>& cpus, std::size_t most) {
  std::vector<Round> rounds;
  if (cpus.size() < 2) return rounds;
  // One CPU stays where it is, the others go around. An odd one out meets nobody.
  const std::size_t around = cpus.size() - 1 + cpus.size() % 2;
  for (std::size_t turn = 0; turn < std::min(around, most); ++turn) {
    Round round;
    const auto add = [&](std::size_t one, std::size_t other) {
      if (std::max(one, other) >= cpus.size()) return;
      WarpPair pair;
      pair.first = cpus[std::min(one, other)];
      pair.second = cpus[std::max(one, other)];
      round.push_back(pair);
    };
    add(around, turn);
    for (std::size_t i = 1; i <= (around - 1) / 2; ++i)
      add((turn + i) % around, (turn + around - i) % around);
    rounds.push_back(std::move(round));
  }
  return rounds;
}

}  // namespace clockshim::cli
