#include "cli/machine/counter_offsets.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace clockshim::cli {
namespace {

constexpr double kNone = std::numeric_limits<double>::infinity();
constexpr std::size_t kNobody = std::numeric_limits<std::size_t>::max();
// The first contraction gives the greatest margin. The others only centre, so they end here if the
// bounds are that strange. For 256 CPUs 5 to 11 million steps are usual, some 3 ns each.
constexpr std::uint64_t kMostSteps = 20'000'000;

// Counters wrap, and so do differences of readings.
std::int64_t sum(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}
std::int64_t difference(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
}

std::int64_t slack(std::int64_t bound, std::int64_t receiver, std::int64_t giver) {
  return difference(bound, difference(receiver, giver));
}

// A square matrix.
template <class T>
class Table {
 public:
  Table(std::size_t size, T value) : size_(size), values_(size * size, value) {}
  T& at(std::size_t row, std::size_t column) { return values_[row * size_ + column]; }
  const T& at(std::size_t row, std::size_t column) const { return values_[row * size_ + column]; }

 private:
  std::size_t size_;
  std::vector<T> values_;
};

// Offsets along the tree of the narrowest pairs, by the middle of each. They take the large numbers
// out: what is left are handoff times, which the rest of the algorithm keeps as doubles.
void start_in_the_middle(const Table<const PairBounds*>& known, CounterOffsets& out) {
  const std::size_t cpus = out.offsets.size();
  const auto width = [](const PairBounds& pair) { return sum(pair.to_first, pair.to_second); };
  std::vector<const PairBounds*> nearest(cpus, nullptr);
  for (std::size_t here = 0; here != kNobody;) {
    out.compared[here] = true;
    std::size_t next = kNobody;
    for (std::size_t cpu = 0; cpu < cpus; ++cpu) {
      if (out.compared[cpu]) continue;
      const PairBounds* const pair = known.at(here, cpu);
      if (pair != nullptr && (nearest[cpu] == nullptr || width(*pair) < width(*nearest[cpu])))
        nearest[cpu] = pair;
      if (nearest[cpu] != nullptr &&
          (next == kNobody || width(*nearest[cpu]) < width(*nearest[next])))
        next = cpu;
    }
    if (next != kNobody) {
      const PairBounds& pair = *nearest[next];
      const std::int64_t second_ahead = difference(pair.to_second, width(pair) / 2);
      out.offsets[next] = pair.second == next ? sum(out.offsets[pair.first], second_ahead)
                                              : difference(out.offsets[pair.second], second_ahead);
    }
    here = next;
  }
}

// Nodes are CPUs, and groups of CPUs whose differences have been decided. At margin m the length of
// an arc is its slack less m. The tree holds the shortest path to each node from a source that has
// an arc of length 0 to each; its length is fixed - depth * m. Nodes are numbered without gaps.
class MinimumBalance {
 public:
  // slacks.at(receiver, giver): of the arc from giver to receiver.
  explicit MinimumBalance(Table<double> slacks, std::size_t nodes)
      : slacks_(std::move(slacks)),
        nodes_(nodes),
        parent_(nodes, kNobody),
        fixed_(nodes, 0),
        depth_(nodes, 0),
        next_margin_(nodes, kNone),
        next_giver_(nodes, kNobody),
        members_(nodes),
        moved_(nodes, 0) {
    for (std::size_t node = 0; node < nodes; ++node) {
      members_[node] = {node};
      find_next(node);
    }
  }

  // By how much each CPU's offset is to be raised.
  std::vector<double> solve() {
    while (true) {
      const auto first = next_margin_.begin();
      const auto least = std::min_element(first, first + static_cast<std::ptrdiff_t>(nodes_));
      const double margin = *least;
      if (margin == kNone) return moved_;  // nothing is left to be decided
      const auto node = static_cast<std::size_t>(least - first);
      const std::size_t giver = next_giver_[node];
      if (is_below(giver, node)) {
        contract(node, margin);
      } else if (steps_ > kMostSteps && contracted_) {
        settle(margin);
        return moved_;
      } else {
        hang_below(node, giver);
      }
    }
  }

 private:
  // Of all arcs into the node, finds the one that is a shorter way to it than the tree's first, as
  // the margin rises.
  void find_next(std::size_t node) {
    const double* const slack_from = &slacks_.at(node, 0);
    const double fixed = fixed_[node];
    const double depth = depth_[node];
    double least = kNone;
    std::size_t from = kNobody;
    for (std::size_t giver = 0; giver < nodes_; ++giver) {
      const double gain = depth_[giver] + 1 - depth;
      const double margin = (fixed_[giver] + slack_from[giver] - fixed) / gain;
      if (gain > 0 && margin < least) {
        least = margin;
        from = giver;
      }
    }
    next_margin_[node] = least;
    next_giver_[node] = from;
    steps_ += nodes_;
  }

  [[nodiscard]] bool is_below(std::size_t node, std::size_t top) const {
    while (node != kNobody && node != top) node = parent_[node];
    return node == top;
  }

  // The node's way is now through `giver`. What hangs below it comes along.
  void hang_below(std::size_t node, std::size_t giver) {
    const double deeper = depth_[giver] + 1 - depth_[node];
    const double farther = fixed_[giver] + slacks_.at(node, giver) - fixed_[node];
    parent_[node] = giver;
    for (std::size_t other = 0; other < nodes_; ++other) {
      if (!is_below(other, node)) continue;
      depth_[other] += deeper;
      fixed_[other] += farther;
    }
    // Arcs into what has moved have only come to be needed later, those out of it only sooner.
    for (std::size_t other = 0; other < nodes_; ++other) {
      if (!is_below(other, node)) continue;
      find_next(other);
      for (std::size_t receiver = 0; receiver < nodes_; ++receiver) {
        const double gain = depth_[other] + 1 - depth_[receiver];
        const double margin =
            (fixed_[other] + slacks_.at(receiver, other) - fixed_[receiver]) / gain;
        if (gain > 0 && margin < next_margin_[receiver]) {
          next_margin_[receiver] = margin;
          next_giver_[receiver] = other;
        }
      }
      steps_ += 4 * nodes_;  // a column is read far more slowly than a row
    }
  }

  // Takes the shortest paths at this margin into the offsets, and into the slacks.
  void settle(double margin) {
    std::vector<double> distance(nodes_);
    for (std::size_t node = 0; node < nodes_; ++node) {
      distance[node] = fixed_[node] - depth_[node] * margin;
      for (const std::size_t cpu : members_[node]) moved_[cpu] += distance[node];
    }
    for (std::size_t node = 0; node < nodes_; ++node) {
      double* const slack_from = &slacks_.at(node, 0);
      for (std::size_t giver = 0; giver < nodes_; ++giver)
        slack_from[giver] += distance[giver] - distance[node];
    }
    steps_ += nodes_ * nodes_;
  }

  // The arc into `top` closes a cycle whose slacks are all `margin`: they can't be any greater, so
  // the cycle's nodes become one.
  void contract(std::size_t top, double margin) {
    settle(margin);
    contracted_ = true;
    std::vector<std::size_t> rest;
    for (std::size_t node = next_giver_[top]; node != top; node = parent_[node])
      rest.push_back(node);
    for (const std::size_t node : rest) {
      members_[top].insert(members_[top].end(), members_[node].begin(), members_[node].end());
      for (std::size_t other = 0; other < nodes_; ++other) {
        slacks_.at(other, top) = std::min(slacks_.at(other, top), slacks_.at(other, node));
        slacks_.at(top, other) = std::min(slacks_.at(top, other), slacks_.at(node, other));
      }
      for (std::size_t other = 0; other < nodes_; ++other) {
        if (parent_[other] == node) parent_[other] = top;
      }
    }
    std::sort(rest.rbegin(), rest.rend());
    for (const std::size_t node : rest) {
      if (top == nodes_ - 1) top = node;
      remove(node);
    }
    slacks_.at(top, top) = kNone;
    for (std::size_t node = 0; node < nodes_; ++node) {
      depth_[node] = 0;
      for (std::size_t up = parent_[node]; up != kNobody; up = parent_[up]) depth_[node] += 1;
      fixed_[node] = depth_[node] * margin;  // all distances are 0 now
    }
    for (std::size_t node = 0; node < nodes_; ++node) find_next(node);
  }

  // The last node takes its number.
  void remove(std::size_t node) {
    const std::size_t last = --nodes_;
    if (node == last) return;
    for (std::size_t other = 0; other <= last; ++other)
      slacks_.at(node, other) = slacks_.at(last, other);
    for (std::size_t other = 0; other < last; ++other)
      slacks_.at(other, node) = slacks_.at(other, last);
    slacks_.at(node, node) = kNone;
    parent_[node] = parent_[last];
    members_[node] = std::move(members_[last]);
    for (std::size_t other = 0; other < nodes_; ++other) {
      if (parent_[other] == last) parent_[other] = node;
    }
  }

  Table<double> slacks_;
  std::size_t nodes_;
  std::vector<std::size_t> parent_;
  std::vector<double> fixed_;
  std::vector<double> depth_;
  // Of all arcs into each node, the one by which the tree changes first.
  std::vector<double> next_margin_;
  std::vector<std::size_t> next_giver_;
  std::vector<std::vector<std::size_t>> members_;
  std::vector<double> moved_;
  std::uint64_t steps_ = 0;
  bool contracted_ = false;
};

}  // namespace

std::int64_t margin_of(const std::vector<PairBounds>& pairs,
                       const std::vector<std::int64_t>& offsets) {
  std::int64_t margin = std::numeric_limits<std::int64_t>::max();
  for (const PairBounds& pair : pairs) {
    const std::int64_t first = offsets[pair.first];
    const std::int64_t second = offsets[pair.second];
    margin = std::min(
        {margin, slack(pair.to_first, first, second), slack(pair.to_second, second, first)});
  }
  return margin;
}

CounterOffsets choose_offsets(std::size_t cpus, const std::vector<PairBounds>& pairs) {
  CounterOffsets out{std::vector<std::int64_t>(cpus, 0), std::vector<bool>(cpus, false), 0};
  if (cpus == 0) return out;
  Table<const PairBounds*> known(cpus, nullptr);
  for (const PairBounds& pair : pairs)
    known.at(pair.first, pair.second) = known.at(pair.second, pair.first) = &pair;
  start_in_the_middle(known, out);
  std::vector<PairBounds> used;
  Table<double> slacks(cpus, kNone);
  for (const PairBounds& pair : pairs) {
    if (!out.compared[pair.first]) continue;
    const std::int64_t first = out.offsets[pair.first];
    const std::int64_t second = out.offsets[pair.second];
    const auto keep = [&](std::size_t giver, std::size_t receiver, std::int64_t left) {
      double& least = slacks.at(receiver, giver);
      least = std::min(least, static_cast<double>(left));
    };
    keep(pair.second, pair.first, slack(pair.to_first, first, second));
    keep(pair.first, pair.second, slack(pair.to_second, second, first));
    used.push_back(pair);
  }
  if (used.empty()) return out;
  const std::vector<double> moved = MinimumBalance(std::move(slacks), cpus).solve();
  std::int64_t least = std::numeric_limits<std::int64_t>::max();
  for (std::size_t cpu = 0; cpu < cpus; ++cpu) {
    if (!out.compared[cpu]) continue;
    out.offsets[cpu] = sum(out.offsets[cpu], std::llround(moved[cpu]));
    least = std::min(least, out.offsets[cpu]);
  }
  for (std::size_t cpu = 0; cpu < cpus; ++cpu) {
    if (out.compared[cpu]) out.offsets[cpu] = difference(out.offsets[cpu], least);
  }
  out.margin = margin_of(used, out.offsets);
  return out;
}

std::uint64_t spread_of(std::size_t cpus, const std::vector<PairBounds>& pairs,
                        const std::vector<std::int64_t>& offsets) {
  // The shortest ways through the slacks (Floyd and Warshall).
  Table<double> ahead(cpus, kNone);
  for (const PairBounds& pair : pairs) {
    const std::int64_t first = offsets[pair.first];
    const std::int64_t second = offsets[pair.second];
    ahead.at(pair.second, pair.first) = static_cast<double>(slack(pair.to_first, first, second));
    ahead.at(pair.first, pair.second) = static_cast<double>(slack(pair.to_second, second, first));
  }
  for (std::size_t by = 0; by < cpus; ++by) {
    for (std::size_t from = 0; from < cpus; ++from) {
      const double first_part = ahead.at(from, by);
      for (std::size_t to = 0; to < cpus; ++to)
        ahead.at(from, to) = std::min(ahead.at(from, to), first_part + ahead.at(by, to));
    }
  }
  double widest = 0;
  for (std::size_t from = 0; from < cpus; ++from) {
    for (std::size_t to = 0; to < cpus; ++to) {
      if (from != to && ahead.at(from, to) != kNone) widest = std::max(widest, ahead.at(from, to));
    }
  }
  return static_cast<std::uint64_t>(widest);
}

}  // namespace clockshim::cli
