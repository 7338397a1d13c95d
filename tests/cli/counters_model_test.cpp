// The comparison of more CPUs than a test machine has: simulated CPUs with planted constants go
// through the same plan, verdict and choice of offsets. A simulated clock tells how long it takes.
//
// Handoffs take what they take on a two-socket server: one way 77 to 400 ticks at 2.45 GHz within a
// socket, three times as long across, each pair of CPUs with a least time of its own in each
// direction, and each handoff longer than that by chance. Of the pairs, 1 % never meet.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <limits>
#include <random>

#include "cli/doctor/save_counters.h"
#include "cli/machine/counter_evidence.h"

namespace clockshim::cli {
namespace {

constexpr double kTicksPerNs = 2.45;
constexpr double kNeverMeet = 0.01;

class SimulatedCpus final : public PairComparer {
 public:
  SimulatedCpus(std::size_t cpus, std::uint64_t seed) : random_(seed), cpus_(cpus) {
    for (std::size_t cpu = 0; cpu < cpus; ++cpu)
      offsets.push_back(uniform(-(INT64_C(1) << 40), INT64_C(1) << 40));
    std::sort(offsets.begin(), offsets.end());
    std::shuffle(offsets.begin(), offsets.end(), random_);
    least_.resize(cpus * cpus);
    absent_.resize(cpus * cpus);
    for (std::size_t i = 0; i < cpus; ++i) {
      for (std::size_t j = 0; j < cpus; ++j) {
        const bool across = i / ((cpus + 1) / 2) != j / ((cpus + 1) / 2);
        least_[i * cpus + j] = uniform(77, 400) * (across ? 3 : 1);
        absent_[i * cpus + j] =
            cpus > 8 && std::uniform_real_distribution<>()(random_) < kNeverMeet;
      }
    }
  }

  void compare(std::vector<Round>& rounds, const PassTest& how) override {
    // CPUs go through the rounds without waiting for all others, only for their next partner. Who
    // waits for one that never comes loses the patience for one meeting.
    if (how.patience < busy) {
      now = now + how.patience;
      return;
    }
    now = now + busy;
    std::vector<Nanos> free(cpus_, now);
    for (Round& round : rounds) {
      for (WarpPair& pair : round) {
        const auto first = static_cast<std::size_t>(pair.first);
        const auto second = static_cast<std::size_t>(pair.second);
        const Nanos start = std::max(free[first], free[second]);
        const bool absent = absent_[first * cpus_ + second];
        const Nanos took = absent ? Nanos{2 * how.length.raw()} : how.length;
        if (!absent) meet(pair, start, took);
        free[first] = free[second] = start + took;
      }
    }
    // Pairs that never meet use up all of the patience.
    const bool all =
        std::none_of(absent_.begin(), absent_.end(), [](bool absent) { return absent; });
    const Nanos usual{how.length.raw() * static_cast<std::int64_t>(rounds.size())};
    now = all ? *std::max_element(free.begin(), free.end()) : now + usual + how.patience;
  }
  void pause(Nanos length) override { now = now + length; }

  // How far the pair's offset is from the truth, and how fast its fastest handoff can ever be.
  [[nodiscard]] std::int64_t error(const CounterEvidence& found, std::size_t i,
                                   std::size_t j) const {
    return (found.offsets[j] - found.offsets[i]) - (offsets[j] - offsets[i]);
  }
  [[nodiscard]] std::int64_t least(std::size_t from, std::size_t to) const {
    return least_[from * cpus_ + to];
  }

  std::vector<std::int64_t> offsets;
  Nanos now{};
  double drift_ppm = 0;  // of the last CPU
  Nanos busy{};          // so long no CPU meets another one in each pass

 private:
  std::int64_t uniform(std::int64_t from, std::int64_t to) {
    return std::uniform_int_distribution<std::int64_t>(from, to)(random_);
  }
  [[nodiscard]] std::int64_t ahead(std::size_t cpu, Nanos at) const {
    const double drift = cpu + 1 == cpus_ ? drift_ppm * 1e-6 : 0;
    return offsets[cpu] + std::llround(static_cast<double>(at.raw()) * kTicksPerNs * drift);
  }
  // The least of n handoffs, each of which is longer than the least by an exponential time.
  std::int64_t least_of(std::uint64_t handoffs, std::size_t from, std::size_t to) {
    const double longer =
        std::exponential_distribution<>(static_cast<double>(handoffs) / 60.0)(random_);
    return least(from, to) + std::llround(longer);
  }
  void meet(WarpPair& pair, Nanos start, Nanos took) {
    const auto first = static_cast<std::size_t>(pair.first);
    const auto second = static_cast<std::size_t>(pair.second);
    const double both = static_cast<double>(least(first, second) + least(second, first));
    const auto turns =
        static_cast<std::uint64_t>(static_cast<double>(took.raw()) * kTicksPerNs / (both + 120));
    pair.proved = 2 * turns >= 1000;
    pair.handoffs = 2 * turns;
    const auto difference = [&](Nanos at) { return ahead(second, at) - ahead(first, at); };
    const std::int64_t early = difference(start);
    const std::int64_t late = difference(start + took);
    pair.to_second = least_of(turns, first, second) + std::min(early, late);
    pair.to_first = least_of(turns, second, first) - std::max(early, late);
    const std::int64_t lowest = std::min(pair.to_first, pair.to_second);
    if (lowest < 0) {
      pair.backward = 1;
      pair.greatest = static_cast<std::uint64_t>(-lowest);
    }
    pair.within = static_cast<std::uint64_t>(std::max(pair.to_first, pair.to_second));
    for (const Nanos at : {start, start + took}) {
      const auto ticks = static_cast<double>(at.raw()) * kTicksPerNs;
      pair.glimpses.push_back({Ticks{static_cast<std::uint64_t>(ticks)},
                               least_of(64, second, first) - difference(at),
                               least_of(64, first, second) + difference(at)});
    }
  }

  std::mt19937_64 random_;
  std::size_t cpus_;
  std::vector<std::int64_t> least_;
  std::vector<bool> absent_;
};

CounterEvidence found_by(SimulatedCpus& machine, std::size_t cpus, Comparison how = {}) {
  std::vector<int> numbers;
  for (std::size_t i = 0; i < cpus; ++i) numbers.push_back(static_cast<int>(i));
  how.enough = TickDelta{4900};
  return compare_counters(numbers, how, machine);
}

struct Expected {
  std::size_t cpus;
  Nanos at_most;  // how long the comparison may take
};

// Four CPUs of a guest on two of its host met after 0.2 to 2 s.
TEST(CountersModel, BusyCpusAreWaitedForWhereNobodyWaits) {
  for (const bool saves : {false, true}) {
    SimulatedCpus machine(4, 1);
    machine.busy = milliseconds(1500);
    const CounterEvidence found = found_by(machine, 4, saves ? kSaveComparison : Comparison{});
    EXPECT_EQ(found.found, saves ? CountersFound::constant : CountersFound::unknown) << found.text;
    EXPECT_LE(machine.now, saves ? milliseconds(4200) : milliseconds(200));
  }
}

TEST(CountersModel, ConstantsOfManyCpus) {
  for (const Expected& expected :
       {Expected{2, milliseconds(120)}, Expected{4, milliseconds(150)},
        Expected{64, milliseconds(570)}, Expected{256, milliseconds(760)}}) {
    SimulatedCpus machine(expected.cpus, expected.cpus);
    const std::clock_t start = std::clock();
    const CounterEvidence found = found_by(machine, expected.cpus);
    const double computed = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    ASSERT_EQ(found.found, CountersFound::constant) << expected.cpus << ": " << found.text;
    std::int64_t worst = 0;
    std::int64_t least_left = std::numeric_limits<std::int64_t>::max();
    for (std::size_t i = 0; i < expected.cpus; ++i) {
      for (std::size_t j = 0; j < expected.cpus; ++j) {
        if (i == j) continue;
        const std::int64_t error = machine.error(found, i, j);
        worst = std::max(worst, std::abs(error));
        // A reading on i that is handed to j at once: by so much corrected time still goes on.
        least_left = std::min(least_left, machine.least(i, j) - error);
      }
    }
    std::printf(
        "%3zu CPUs: %3lld ms, and %.3f s to compute; margin %lld ticks, within %llu; worst "
        "error %lld, of the fastest handoffs at least %lld are left\n",
        expected.cpus, static_cast<long long>(machine.now.raw() / 1'000'000), computed,
        static_cast<long long>(found.margin), static_cast<unsigned long long>(found.within),
        static_cast<long long>(worst), static_cast<long long>(least_left));
    EXPECT_LE(machine.now, expected.at_most);
    EXPECT_LT(computed, 1.5);
    EXPECT_GE(found.margin, 70) << "the fastest handoffs take 77";
    EXPECT_GT(least_left, 0) << "no two threads can see time go back, not even CPUs that never met";
    EXPECT_LE(worst, static_cast<std::int64_t>(found.within));
  }
}

TEST(CountersModel, OneCpuOf64Drifts) {
  for (const double ppm : {3.0, 100.0, -1000.0}) {
    SimulatedCpus machine(64, 7);
    machine.drift_ppm = ppm;
    const CounterEvidence found = found_by(machine, 64);
    EXPECT_EQ(found.found, CountersFound::drifts) << ppm << ": " << found.text;
    EXPECT_NEAR(std::abs(found.drift_ppm), std::abs(ppm), 2 + std::abs(ppm) / 100);
    EXPECT_NE(found.text.find("CPU 63's"), std::string::npos) << found.text;
  }
}

}  // namespace
}  // namespace clockshim::cli
