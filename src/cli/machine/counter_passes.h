// Passes of a comparison over all pairs of CPUs, and what a single one proves.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "base/ticks.h"
#include "cli/machine/warp_probe.h"

namespace clockshim::cli {

// One pass over all pairs.
struct Pass {
  std::vector<Round> rounds;
  std::string missing;       // why it proves nothing; "": enough pairs were compared
  std::string disagreement;  // why the counters do not simply agree; "": they do
};
using Passes = std::deque<Pass>;  // which keeps references valid

template <class Visit>
void each_pair(const Pass& pass, Visit&& visit) {
  for (const Round& round : pass.rounds) {
    for (const WarpPair& pair : round) visit(pair);
  }
}

// "CPU 3"
std::string name_of_cpu(int number);

// Whether the longer one of the two directions' shortest handoffs is so much longer that a faster
// one could show a difference of the counters.
bool is_lopsided(std::int64_t shorter, std::int64_t longer);

// Why a pass proves nothing, for Pass::missing.
std::string why_nothing(const Pass& pass);

// Why the counters do not simply agree, for Pass::disagreement. They may differ by `enough`.
std::string why_not_agree(const Pass& pass, TickDelta enough);

}  // namespace clockshim::cli
