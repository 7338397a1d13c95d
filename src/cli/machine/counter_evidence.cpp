#include "cli/machine/counter_evidence.h"

#include <unistd.h>

#include <algorithm>

#include "cli/machine/clocks_measured.h"
#include "cli/machine/cpu_set.h"
#include "cli/machine/timing.h"
#include "os/clocksource.h"
#include "os/log.h"

namespace clockshim::cli {
namespace {

// There are two rounds. This is the length of each, which the pairs share, and how long it may take
// if the CPUs are busy.
constexpr Nanos kRound = milliseconds(20);
constexpr Nanos kLongestPair = milliseconds(4);
constexpr Nanos kShortestPair = microseconds(500);
constexpr Nanos kPatience = milliseconds(200);
// Fewer handoffs may be chance and prove nothing.
constexpr std::uint64_t kHandoffs = 1000;
// With at most this many CPUs all pairs can be compared.
constexpr std::size_t kMostPairs = 15;
// The pause between the rounds. Counters within kMost in both rounds can't have drifted by more
// than 2 * kMost in between.
constexpr Nanos kPause = milliseconds(50);
constexpr Nanos kMost = microseconds(2);
constexpr std::int64_t kSeenDriftPpm = 100;
static_assert(2 * kMost.raw() * 1'000'000 < kSeenDriftPpm * kPause.raw(),
              "a drift of 100 ppm has to show");
// Counters may differ by this fraction of the tolerance, because the library's own error needs the
// rest.
constexpr std::int64_t kTolerancePart = 4;
// A handoff takes the same time in both directions. If one direction seems to take more than this
// many times as long, the counters differ by a good part of it, and a faster handoff than those
// seen here could show it.
constexpr std::int64_t kLopsided = 2;
// This much asymmetry is allowed, because the counter's steps and the CPU's reordering explain it
// (some 100 ns).
constexpr std::int64_t kUnevenTicks = 256;
constexpr Nanos kCalibration = milliseconds(2);

std::string cpu(int number) { return "CPU " + std::to_string(number); }

CounterEvidence unknown(std::string why) { return {CountersFound::unknown, 0, std::move(why)}; }

CounterEvidence disagree(const WarpPair& pair) {
  const bool first = pair.to_first < pair.to_second;
  return {CountersFound::disagree, 0,
          cpu(first ? pair.first : pair.second) + "'s counter was " +
              std::to_string(pair.greatest) + " ticks behind " +
              cpu(first ? pair.second : pair.first) + "'s"};
}

CounterEvidence compare_round(const std::vector<WarpPair>& pairs, TickDelta enough,
                              ReadCounter read) {
  const auto share = [&](Nanos whole) {
    return Nanos{whole.raw() / static_cast<std::int64_t>(pairs.size())};
  };
  const Nanos length = std::clamp(share(kRound), kShortestPair, kLongestPair);
  CounterEvidence evidence;
  for (WarpPair pair : pairs) {
    const bool proved =
        test_pair(pair, {length, std::max(length, share(kPatience)), enough, kHandoffs}, read);
    const std::string both = cpu(pair.first) + " and " + cpu(pair.second);
    if (pair.backward > 0) return disagree(pair);
    if (!proved)
      return unknown(both + " are too busy to be compared, or not ours to use; handoffs: " +
                     std::to_string(pair.handoffs));
    const auto [shorter, longer] = std::minmax(pair.to_first, pair.to_second);
    if (longer > kLopsided * shorter && longer - shorter > kUnevenTicks) {
      return unknown("handoffs between " + both + " take " + std::to_string(pair.to_second) +
                     " ticks there and " + std::to_string(pair.to_first) +
                     " back: their counters may be apart");
    }
    evidence.within = std::max(evidence.within, pair.within);
  }
  evidence.found = CountersFound::agree;
  return evidence;
}

}  // namespace

std::vector<WarpPair> pairs_of_evidence(const std::vector<int>& cpus) {
  std::vector<WarpPair> pairs;
  for (std::size_t i = 0; i < cpus.size(); ++i) {
    for (std::size_t j = i + 1; j < cpus.size(); ++j) {
      if (i > 0 && pairs.size() >= kMostPairs) return pairs;
      pairs.push_back({cpus[i], cpus[j]});
    }
  }
  return pairs;
}

CounterEvidence compare_counters(const std::vector<int>& cpus, Nanos tolerance, ReadCounter read) {
  const std::vector<WarpPair> pairs = pairs_of_evidence(cpus);
  if (pairs.empty()) return unknown("there are no two CPUs to compare");
  Timebase base;
  {
    const StayHere stay;
    base = calibrate(kCalibration, true);
  }
  if (!base.counter) return unknown("the counter's frequency can't be told");
  const Nanos most = std::min(kMost, Nanos{tolerance.raw() / kTolerancePart});
  const TickDelta enough{
      static_cast<std::uint64_t>(static_cast<double>(most.raw()) / base.ns_per_unit)};
  CounterEvidence evidence = compare_round(pairs, enough, read);
  if (evidence.found != CountersFound::agree) return evidence;
  rest(kPause);
  const std::uint64_t within = evidence.within;
  evidence = compare_round(pairs, enough, read);
  if (evidence.found != CountersFound::agree) return evidence;
  evidence.within = std::max(evidence.within, within);
  evidence.text = std::to_string(cpus.size()) + " CPUs' counters agree within " +
                  std::to_string(evidence.within) + " ticks";
  return evidence;
}

CounterEvidence find_evidence(const Settings& settings, std::string_view clocksource,
                              const std::vector<int>& cpus, std::size_t online, ReadCounter read) {
  if (settings.counters != Counters::automatic || settings.tolerance == Nanos{0} ||
      clocksource == "tsc" || online < 2)
    return {};
  if (cpus.size() < online)
    return unknown("only " + std::to_string(cpus.size()) + " of " + std::to_string(online) +
                   " CPUs are ours to use");
  return compare_counters(cpus, settings.tolerance, read);
}

CounterEvidence look_at_counters(const Settings& settings) {
  if (counter_forbidden()) return {};
  const std::string clocksource = current_clocksource();
  const auto online = static_cast<std::size_t>(std::max(1L, sysconf(_SC_NPROCESSORS_ONLN)));
  CounterEvidence evidence =
      find_evidence(settings, clocksource, allowed_cpus(), online, counter_of);
  if (!evidence.text.empty())
    say(LogLevel::info, settings.log,
        "clocksource " + clocksource + ", so looked myself: " + evidence.text);
  return evidence;
}

std::string handed_over(const CounterEvidence& evidence) {
  switch (evidence.found) {
    case CountersFound::agree: return "measured:" + std::to_string(evidence.within);
    case CountersFound::disagree: return "disagree";
    case CountersFound::unknown: break;
  }
  return "";
}

}  // namespace clockshim::cli
