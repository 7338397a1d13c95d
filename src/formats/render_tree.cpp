// The callers as a tree, from the clock that was read outward. If only one stack was seen, it is on
// one line, without counts.
#include <fmt/format.h>

#include "formats/call_tree.h"
#include "formats/formats.h"
#include "report/text_table.h"

namespace clockshim {
namespace {

constexpr std::size_t kWidth = 120;     // in files
constexpr std::size_t kCounts = 25;     // the part of it before the names
constexpr std::size_t kMostDrawn = 20;  // of one node; threads and clocks are all shown
constexpr std::size_t kMostStacks = 3;  // first-seen stacks of one caller

class Drawing {
 public:
  Drawing(std::uint64_t all, std::size_t width) : all_(all), width_(width) {}

  // NOLINTNEXTLINE(misc-no-recursion): as deep as a stack in the report
  void add(const CallNode& node, const std::string& lead, const std::string& branch,
           const std::string& below) {
    const std::string where = node.place.empty()    ? node.module
                              : node.module.empty() ? node.place
                                                    : node.module + ", " + node.place;
    line(fmt::format("{:>15} {:>6.1f}%  ", (node.sampled ? "~" : "") + grouped(node.calls),
                     percent(node.calls, all_)),
         lead + branch + node.name + (where.empty() ? "" : "  (" + where + ")"));
    std::vector<const CallNode*> callers;
    std::vector<const CallNode*> seen;
    for (const CallNode& caller : node.callers)
      (caller.first_seen ? seen : callers).push_back(&caller);
    add_seen(seen, lead + below);
    const bool all = callers.empty() || callers.front()->heading;
    const std::size_t shown = all ? callers.size() : std::min(callers.size(), kMostDrawn);
    for (std::size_t i = 0; i < shown; ++i) {
      const bool last = i + 1 == callers.size();
      add(*callers[i], lead + below, last ? "└─ " : "├─ ", last ? "   " : "│  ");
    }
    if (callers.size() > shown) {
      std::uint64_t rest = 0;
      for (std::size_t i = shown; i < callers.size(); ++i) rest += callers[i]->calls;
      line(fmt::format("{:>15} {:>6.1f}%  ", (callers[shown]->sampled ? "~" : "") + grouped(rest),
                       percent(rest, all_)),
           lead + below + fmt::format("└─ {} more callers", callers.size() - shown));
    }
  }

  [[nodiscard]] std::string text() && { return std::move(out_); }

 private:
  void line(const std::string& counts, const std::string& text) {
    out_ += counts + shortened(text, width_ - counts.size()) + "\n";
  }

  void add_seen(const std::vector<const CallNode*>& seen, const std::string& lead) {
    for (std::size_t i = 0; i < std::min(seen.size(), kMostStacks); ++i) {
      std::string way = lead + "first seen from " + seen[i]->name;
      const CallNode* at = seen[i];
      while (!at->callers.empty()) {
        at = &at->callers.front();
        // The nearest frames matter most, so the end is left out.
        const bool fits = way.size() + at->name.size() + 6 <= width_ - kCounts;
        way += fits ? " < " + at->name : " < ..";
        if (!fits) break;
      }
      line(std::string(kCounts, ' '), way);
    }
    if (seen.size() > kMostStacks)
      line(std::string(kCounts, ' '),
           lead + fmt::format("and from {} more", seen.size() - kMostStacks));
  }

  std::uint64_t all_;
  std::size_t width_;
  std::string out_;
};

}  // namespace

std::string render_tree(const Reports& reports, const StackOptions& options) {
  const std::size_t width = options.width == 0 ? kWidth : options.width;
  std::string out;
  for (const Report& report : reports) {
    const CallNode root = call_tree({report}, options);
    Drawing drawing(root.calls, width);
    drawing.add(root, "", "", "");
    out += (out.empty() ? "" : "\n") + std::move(drawing).text();
    out += text_advice(report, width);
  }
  return out;
}

}  // namespace clockshim
