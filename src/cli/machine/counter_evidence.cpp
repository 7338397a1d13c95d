#include "cli/machine/counter_evidence.h"

#include <algorithm>
#include <limits>
#include <map>
#include <optional>

#include "cli/machine/clocks_measured.h"
#include "cli/machine/counter_movement.h"
#include "cli/machine/counter_passes.h"
#include "cli/machine/cpu_set.h"
#include "cli/machine/timing.h"

namespace clockshim::cli {
namespace {

constexpr Nanos kShortestRound = microseconds(500);
// Fewer handoffs may be chance and prove nothing.
constexpr std::uint64_t kHandoffs = 1000;
// More rounds take too long. It is enough for all pairs of kCountersCpus.
constexpr std::size_t kMostRounds = 255;
// Above this, offsets are not looked for: the counters file has no room for them.
constexpr std::size_t kMostOffsets = 256;
// The pause between two passes that find agreement. Counters within kMost in both passes can't have
// drifted by more than 2 * kMost in between.
constexpr Nanos kPause = milliseconds(50);
constexpr Nanos kMost = microseconds(2);
constexpr std::int64_t kSeenDriftPpm = 100;
static_assert(2 * kMost.raw() * 1'000'000 < kSeenDriftPpm * kPause.raw(),
              "a drift of 100 ppm has to show");
// Counters may differ by this fraction of the tolerance, because the library's own error needs the
// rest.
constexpr std::int64_t kTolerancePart = 4;
// Constants have to leave at least this part of the fastest pair's mean handoff as margin. All of
// it is left if handoffs are as fast there as back. If less than half is left, something has moved
// between the looks, or handoffs are so uneven that a faster one is to be expected.
constexpr std::int64_t kMarginPart = 2;
constexpr Nanos kCalibration = milliseconds(2);

// What was found with passes of one plan.
class Findings {
 public:
  Findings(const std::vector<int>& cpus, const Comparison& how, PairComparer& comparer)
      : cpus_(cpus), how_(how), comparer_(comparer), plan_(plan_rounds(cpus, kMostRounds)) {
    for (std::size_t i = 0; i < cpus.size(); ++i) position_[cpus[i]] = i;
  }

  [[nodiscard]] std::size_t pairs() const {
    std::size_t pairs = 0;
    for (const Round& round : plan_) pairs += round.size();
    return pairs;
  }

  // Goes through all pairs once more.
  const Pass& look_again() {
    const auto rounds = static_cast<std::int64_t>(plan_.size());
    const Nanos length = std::clamp(Nanos{how_.pass.raw() / rounds}, kShortestRound,
                                    std::max(how_.longest, kShortestRound));
    Pass pass{plan_, "", ""};
    comparer_.compare(pass.rounds, {length, how_.patience, how_.enough, kHandoffs});
    pass.missing = why_nothing(pass);
    pass.disagreement = why_not_agree(pass, how_.enough);
    passes_.push_back(std::move(pass));
    return passes_.back();
  }

  // What all passes allow. Counters that differ by constants do so in each.
  [[nodiscard]] std::vector<PairBounds> bounds() const {
    std::map<std::pair<int, int>, PairBounds> known;
    for (const Pass& pass : passes_) {
      each_pair(pass, [&](const WarpPair& pair) {
        if (!pair.proved) return;
        const auto [there, fresh] =
            known.try_emplace({pair.first, pair.second},
                              PairBounds{position_.at(pair.first), position_.at(pair.second),
                                         pair.to_first, pair.to_second});
        PairBounds& both = there->second;
        both.to_first = std::min(both.to_first, pair.to_first);
        both.to_second = std::min(both.to_second, pair.to_second);
      });
    }
    std::vector<PairBounds> bounds;
    bounds.reserve(known.size());
    for (const auto& [cpus, pair] : known) bounds.push_back(pair);
    return bounds;
  }

  // Half of the least that two handoffs of a pair took, in any one pass.
  [[nodiscard]] std::int64_t fastest_handoff() const {
    std::int64_t fastest = std::numeric_limits<std::int64_t>::max();
    for (const Pass& pass : passes_) {
      each_pair(pass, [&](const WarpPair& pair) {
        if (pair.proved) fastest = std::min(fastest, (pair.to_first + pair.to_second) / 2);
      });
    }
    return fastest;
  }

  // What one pass leaves open, because CPUs were busy, another may have settled.
  [[nodiscard]] bool agree_together() const {
    const std::vector<PairBounds> all = bounds();
    return std::all_of(all.begin(), all.end(), [&](const PairBounds& pair) {
      const auto [shorter, longer] = std::minmax(pair.to_first, pair.to_second);
      return shorter >= 0 && static_cast<std::uint64_t>(longer) <= how_.enough.raw() &&
             !is_lopsided(shorter, longer);
    });
  }

  [[nodiscard]] CounterEvidence nothing(const std::string& why) const {
    return with_pairs(CountersFound::unknown, why);
  }

  [[nodiscard]] CounterEvidence agreement() const {
    CounterEvidence evidence = with_pairs(CountersFound::agree, "");
    evidence.offsets.assign(cpus_.size(), 0);
    evidence.margin = margin_of(evidence.bounds, evidence.offsets);
    if (cpus_.size() <= kMostOffsets) {
      evidence.within = spread_of(cpus_.size(), evidence.bounds, evidence.offsets);
    } else {
      for (const Pass& pass : passes_) {
        each_pair(pass, [&](const WarpPair& pair) {
          if (pair.proved) evidence.within = std::max(evidence.within, pair.within);
        });
      }
    }
    evidence.text = std::to_string(cpus_.size()) + " CPUs' counters agree within " +
                    std::to_string(evidence.within) + " ticks";
    return evidence;
  }

  // None: constants do not explain all that was seen. `unsure`: they would, with too small a
  // margin.
  [[nodiscard]] std::optional<CounterEvidence> constants(bool& unsure) const {
    unsure = false;
    if (cpus_.size() > kMostOffsets) return std::nullopt;
    CounterEvidence evidence = with_pairs(CountersFound::constant, "");
    CounterOffsets chosen = choose_offsets(cpus_.size(), evidence.bounds);
    unsure = chosen.margin > 0;
    const bool all =
        std::find(chosen.compared.begin(), chosen.compared.end(), false) == chosen.compared.end();
    if (!all || chosen.margin <= 0 || chosen.margin < fastest_handoff() / kMarginPart)
      return std::nullopt;
    evidence.offsets = std::move(chosen.offsets);
    evidence.margin = chosen.margin;
    evidence.within = spread_of(cpus_.size(), evidence.bounds, evidence.offsets);
    evidence.text = std::to_string(cpus_.size()) + " CPUs' counters differ by constants, up to " +
                    std::to_string(evidence.worst_offset()) + " ticks; margin " +
                    std::to_string(evidence.margin) + " ticks";
    return evidence;
  }

  // For counters that no constants explain.
  [[nodiscard]] CounterEvidence movement() const {
    const CounterMovement moved = movement_of(passes_);
    CounterEvidence evidence =
        with_pairs(moved.drifts ? CountersFound::drifts : CountersFound::jumps, moved.text);
    evidence.drift_ppm = moved.ppm;
    return evidence;
  }

 private:
  [[nodiscard]] CounterEvidence with_pairs(CountersFound found, const std::string& text) const {
    CounterEvidence evidence;
    evidence.found = found;
    evidence.text = text;
    evidence.cpus = cpus_;
    evidence.bounds = bounds();
    evidence.offsets.assign(cpus_.size(), 0);
    std::map<std::pair<int, int>, WarpPair> pairs;
    for (const Pass& pass : passes_) {
      each_pair(pass, [&](const WarpPair& pair) {
        if (!pair.proved) return;
        const auto [there, fresh] = pairs.try_emplace({pair.first, pair.second}, pair);
        if (fresh) return;
        WarpPair& both = there->second;
        both.handoffs += pair.handoffs;
        both.backward += pair.backward;
        both.greatest = std::max(both.greatest, pair.greatest);
        both.within = std::min(both.within, pair.within);
      });
    }
    for (const auto& [cpus, pair] : pairs) evidence.warp.pairs.push_back(pair);
    evidence.warp.untested = cpus_.size() * (cpus_.size() - 1) / 2 - pairs.size();
    return evidence;
  }

  const std::vector<int>& cpus_;
  const Comparison& how_;
  PairComparer& comparer_;
  std::vector<Round> plan_;
  std::map<int, std::size_t> position_;
  Passes passes_;
};

CounterEvidence unknown(std::string why) {
  CounterEvidence evidence;
  evidence.text = std::move(why);
  return evidence;
}

}  // namespace

std::string_view name_of(CountersFound found) {
  switch (found) {
    case CountersFound::agree: return "agree";
    case CountersFound::constant: return "constant";
    case CountersFound::drifts: return "drifts";
    case CountersFound::jumps: return "jumps";
    case CountersFound::unknown: break;
  }
  return "unknown";
}

std::int64_t CounterEvidence::worst_offset() const {
  if (offsets.empty()) return 0;
  const auto [least, most] = std::minmax_element(offsets.begin(), offsets.end());
  return *most - *least;
}

Nanos allowed_difference(Nanos tolerance) {
  return std::min(kMost, Nanos{tolerance.raw() / kTolerancePart});
}

CounterEvidence compare_counters(const std::vector<int>& cpus, const Comparison& how,
                                 PairComparer& comparer) {
  Findings findings(cpus, how, comparer);
  if (findings.pairs() == 0) return unknown("there are no two CPUs to compare");
  const Pass& first = findings.look_again();
  if (!first.missing.empty()) return findings.nothing(first.missing);
  const bool alike = first.disagreement.empty();
  comparer.pause(alike ? kPause : how.pause);
  bool unsure = false;
  const Pass& second = findings.look_again();
  if (!second.missing.empty()) return findings.nothing(second.missing);
  if (findings.agree_together()) return findings.agreement();
  if (!alike) {
    if (auto evidence = findings.constants(unsure)) return *evidence;
  }
  comparer.pause(how.pause);
  const Pass& third = findings.look_again();
  if (!third.missing.empty()) return findings.nothing(third.missing);
  if (auto evidence = findings.constants(unsure)) return *evidence;
  if (unsure)
    return findings.nothing("constants would explain what the CPUs' counters show, but hardly: " +
                            third.disagreement);
  return findings.movement();
}

CounterEvidence compare_counters(const std::vector<int>& cpus, Nanos tolerance, ReadCounter read,
                                 Comparison how) {
  Timebase base;
  {
    const StayHere stay;
    base = calibrate(kCalibration, true);
  }
  if (!base.counter) return unknown("the counter's frequency can't be told");
  how.enough = TickDelta{static_cast<std::uint64_t>(
      static_cast<double>(allowed_difference(tolerance).raw()) / base.ns_per_unit)};
  CpuComparer comparer(read, base.ns_per_unit);
  return compare_counters(cpus, how, comparer);
}

bool is_open(const Settings& settings, std::string_view clocksource, std::size_t online) {
  return settings.counters == Counters::automatic && settings.tolerance != Nanos{0} &&
         clocksource != "tsc" && online >= 2;
}

CounterEvidence find_evidence(const Settings& settings, std::string_view clocksource,
                              const std::vector<int>& cpus, std::size_t online, ReadCounter read) {
  if (!is_open(settings, clocksource, online)) return {};
  if (cpus.size() < online)
    return unknown("only " + std::to_string(cpus.size()) + " of " + std::to_string(online) +
                   " CPUs are ours to use");
  return compare_counters(cpus, settings.tolerance, read);
}

}  // namespace clockshim::cli
