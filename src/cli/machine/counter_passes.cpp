#include "cli/machine/counter_passes.h"

#include <algorithm>
#include <map>

namespace clockshim::cli {
namespace {

// Of the CPUs that a CPU was to be compared with, this fraction may have been too busy. So there is
// always a third one that both of two have been compared with.
constexpr std::size_t kMissingPart = 8;
// A handoff takes the same time in both directions. If one direction seems to take more than this
// many times as long, the counters differ by a good part of it, and a faster handoff than those
// seen here could show it.
constexpr std::int64_t kLopsided = 2;
// This much asymmetry is allowed, because the counter's steps and the CPU's reordering explain it
// (some 100 ns).
constexpr std::int64_t kUnevenTicks = 256;

}  // namespace

std::string name_of_cpu(int number) { return "CPU " + std::to_string(number); }

std::string why_nothing(const Pass& pass) {
  struct Seen {
    std::size_t planned = 0;
    std::size_t proved = 0;
    std::uint64_t handoffs = 0;
  };
  std::map<int, Seen> seen;
  each_pair(pass, [&](const WarpPair& pair) {
    for (const int one : {pair.first, pair.second}) {
      ++seen[one].planned;
      seen[one].proved += pair.proved ? 1 : 0;
      seen[one].handoffs += pair.handoffs;
    }
  });
  const auto missing = [](const auto& one) { return one.second.planned - one.second.proved; };
  const auto worst = std::max_element(seen.begin(), seen.end(), [&](const auto& a, const auto& b) {
    return missing(a) < missing(b);
  });
  if (missing(*worst) <= worst->second.planned / kMissingPart) return "";
  const bool two = seen.size() == 2;
  return (two ? name_of_cpu(seen.begin()->first) + " and " + name_of_cpu(seen.rbegin()->first) +
                    " are"
              : name_of_cpu(worst->first) + " is") +
         " too busy to be compared, or not ours to use; handoffs: " +
         std::to_string(worst->second.handoffs) +
         (two ? ""
              : "; compared with " + std::to_string(worst->second.proved) + " of " +
                    std::to_string(worst->second.planned) + " CPUs");
}

bool is_lopsided(std::int64_t shorter, std::int64_t longer) {
  return longer > kLopsided * shorter && longer - shorter > kUnevenTicks;
}

std::string why_not_agree(const Pass& pass, TickDelta enough) {
  std::string text;
  std::uint64_t greatest = 0;
  each_pair(pass, [&](const WarpPair& pair) {
    if (pair.backward == 0 || pair.greatest <= greatest) return;
    greatest = pair.greatest;
    const bool first = pair.to_first < pair.to_second;
    text = name_of_cpu(first ? pair.first : pair.second) + "'s counter was " +
           std::to_string(pair.greatest) + " ticks behind " +
           name_of_cpu(first ? pair.second : pair.first) + "'s";
  });
  if (!text.empty()) return text;
  each_pair(pass, [&](const WarpPair& pair) {
    if (!pair.proved) return;
    const auto [shorter, longer] = std::minmax(pair.to_first, pair.to_second);
    if (!is_lopsided(shorter, longer) && pair.within <= enough.raw()) return;
    text = "handoffs between " + name_of_cpu(pair.first) + " and " + name_of_cpu(pair.second) +
           " take " + std::to_string(pair.to_second) + " ticks there and " +
           std::to_string(pair.to_first) + " back: their counters may be apart";
  });
  return text;
}

}  // namespace clockshim::cli
