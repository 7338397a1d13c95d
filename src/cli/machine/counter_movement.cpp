#include "cli/machine/counter_movement.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "cli/console/figures.h"

namespace clockshim::cli {
namespace {

using SeenOfPairs = std::map<std::pair<int, int>, std::vector<Glimpse>>;

SeenOfPairs glimpses_of(const Passes& passes) {
  SeenOfPairs seen;
  for (const Pass& pass : passes) {
    each_pair(pass, [&](const WarpPair& pair) {
      std::vector<Glimpse>& of_pair = seen[{pair.first, pair.second}];
      of_pair.insert(of_pair.end(), pair.glimpses.begin(), pair.glimpses.end());
    });
  }
  return seen;
}

// As if each pass had taken no time.
SeenOfPairs whole_passes(const Passes& passes) {
  SeenOfPairs seen;
  for (const Pass& pass : passes) {
    each_pair(pass, [&](const WarpPair& pair) {
      if (pair.glimpses.empty()) return;
      const Ticks begin = pair.glimpses.front().at;
      const TickDelta half{(pair.glimpses.back().at - begin).raw() / 2};
      seen[{pair.first, pair.second}].push_back({begin + half, pair.to_first, pair.to_second});
    });
  }
  return seen;
}

// By how much the second counter can gain on the first one per tick: the least and the most for
// which there is a line through all glimpses, that is one through any two of them.
std::optional<std::pair<double, double>> slopes_through(const std::vector<Glimpse>& seen) {
  double least = -std::numeric_limits<double>::infinity();
  double most = std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < seen.size(); ++i) {
    for (std::size_t j = i + 1; j < seen.size(); ++j) {
      const auto apart =
          static_cast<double>(static_cast<std::int64_t>((seen[j].at - seen[i].at).raw()));
      if (apart <= 0) return std::nullopt;
      // The second one is ahead by -to_first to to_second.
      const auto difference = [](std::int64_t a, std::int64_t b) {
        return static_cast<double>(static_cast<std::int64_t>(static_cast<std::uint64_t>(a) -
                                                             static_cast<std::uint64_t>(b)));
      };
      least = std::max(least, difference(-seen[j].to_first, seen[i].to_second) / apart);
      most = std::min(most, difference(seen[j].to_second, -seen[i].to_first) / apart);
    }
  }
  if (least > most) return std::nullopt;
  return std::pair(least, most);
}

// None: it is no drift, or it may be none.
std::optional<CounterMovement> drift(const SeenOfPairs& all) {
  CounterMovement found{.drifts = true};
  for (const auto& [cpus, seen] : all) {
    const auto slopes = slopes_through(seen);
    if (!slopes) return std::nullopt;
    const double ppm = (slopes->first + slopes->second) / 2 * 1e6;
    const bool certain = slopes->first > 0 || slopes->second < 0;
    if (!certain || std::fabs(ppm) <= std::fabs(found.ppm)) continue;
    found.ppm = ppm;
    found.text = name_of_cpu(ppm > 0 ? cpus.second : cpus.first) + "'s counter gains " +
                 printed(std::fabs(ppm) < 10 ? "%.2f ppm" : "%.0f ppm", std::fabs(ppm)) + " on " +
                 name_of_cpu(ppm > 0 ? cpus.first : cpus.second) + "'s";
  }
  if (found.text.empty()) return std::nullopt;
  return found;
}

std::string jump(int first, int second, const std::vector<Glimpse>& seen) {
  std::int64_t greatest = 0;
  const auto middle = [](const Glimpse& glimpse) {
    return (glimpse.to_second - glimpse.to_first) / 2;
  };
  for (std::size_t i = 1; i < seen.size(); ++i)
    greatest = std::max(greatest, std::abs(middle(seen[i]) - middle(seen[i - 1])));
  return name_of_cpu(first) + "'s and " + name_of_cpu(second) + "'s counters moved by " +
         std::to_string(greatest) + " ticks against each other, and not steadily";
}

}  // namespace

CounterMovement movement_of(const Passes& passes) {
  const SeenOfPairs glimpses = glimpses_of(passes);
  for (const auto& seen : {whole_passes(passes), glimpses}) {
    if (auto found = drift(seen)) return *found;
  }
  for (const auto& [cpus, seen] : glimpses) {
    if (!slopes_through(seen)) return {.text = jump(cpus.first, cpus.second, seen)};
  }
  return {.text = "no constants explain what the CPUs' counters show, and no drift: " +
                  passes.back().disagreement};
}

}  // namespace clockshim::cli
