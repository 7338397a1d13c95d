#include "formats/flame.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

namespace clockshim {
namespace {

constexpr double kWidth = 1200;
constexpr double kRow = 19;
constexpr double kNarrowest = 0.1;
constexpr double kCharacter = 6.6;  // the width in the 11 unit monospace font of flame.css;
                                    // flame.js has the same figure
constexpr double kPadding = 8;

double width_of(const CallNode& node, const CallNode& root) {
  return root.calls == 0
             ? kWidth
             : kWidth * static_cast<double>(node.calls) / static_cast<double>(root.calls);
}

// NOLINTNEXTLINE(misc-no-recursion): as deep as a stack in the report
unsigned depth_of(const CallNode& node, const CallNode& root) {
  unsigned deepest = 0;
  for (const CallNode& caller : node.callers) {
    if (width_of(caller, root) >= kNarrowest) deepest = std::max(deepest, depth_of(caller, root));
  }
  return deepest + 1;
}

// The hue of a module's functions: an FNV-1a hash of its name, so it is the same in every picture.
unsigned hue_of(const std::string& module) {
  std::uint32_t hash = 2166136261U;
  for (const char c : module) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
  return hash % 360U;
}

// NOLINTNEXTLINE(misc-no-recursion): as deep as a stack in the report
bool has_samples(const CallNode& node) {
  return node.sampled || std::any_of(node.callers.begin(), node.callers.end(), has_samples);
}

std::string title_of(const CallNode& node, const CallNode& root) {
  std::string out = node.name;
  const bool both = !node.place.empty() && !node.module.empty();
  if (!node.place.empty() || !node.module.empty())
    out += fmt::format("\n{}{}{}", node.module, both ? ", " : "", node.place);
  out += fmt::format("\n{}{} calls, {:.2f} %", node.sampled ? "about " : "", grouped(node.calls),
                     percent(node.calls, root.calls));
  if (node.sampled) out += " (the caller's calls, shared by samples)";
  if (node.first_seen) out += "\nas first seen: the calls may also come another way";
  return out;
}

class Boxes {
 public:
  explicit Boxes(const CallNode& root) : root_(root) {}

  // NOLINTNEXTLINE(misc-no-recursion): as deep as a stack in the report
  void add(const CallNode& node, double x, unsigned row) {
    const double width = width_of(node, root_);
    if (width < kNarrowest) return;
    const double y = row * kRow;
    const auto room = static_cast<std::size_t>(std::max(0.0, (width - kPadding) / kCharacter));
    const std::string kind = node.heading      ? " q"
                             : node.first_seen ? " o"
                             : node.sampled    ? " s"
                                               : "";
    out_ += fmt::format("<g class=\"f{}\" data-x=\"{:.5f}\" data-w=\"{:.5f}\" data-n=\"{}\"", kind,
                        x / kWidth, width / kWidth, markup(node.name));
    out_ += fmt::format(" style=\"--h:{}\"><title>{}</title>", hue_of(node.module),
                        markup(title_of(node, root_)));
    out_ += fmt::format(
        "<rect x=\"{:.2f}\" y=\"{}\" width=\"{:.2f}\" height=\"{}\" rx=\"2\" fill=\"{}\"/>", x, y,
        std::max(width - 0.5, 0.1), kRow - 1,
        node.heading      ? "#d5dae1"
        : node.first_seen ? "#f3e3d3"
        : node.sampled    ? "#f6d0a8"
                          : "#f2b880");
    out_ += fmt::format("<text x=\"{:.2f}\" y=\"{}\">{}</text></g>\n", x + kPadding / 2, y + 13,
                        room < 3 ? "" : markup(shortened(node.name, room)));
    for (const CallNode& caller : node.callers) {
      add(caller, x, row + 1);
      x += width_of(caller, root_);
    }
  }

  [[nodiscard]] std::string text() && { return std::move(out_); }

 private:
  const CallNode& root_;
  std::string out_;
};

}  // namespace

FlameSize flame_size(const CallNode& root) { return {kWidth, depth_of(root, root) * kRow}; }

std::string flame_boxes(const CallNode& root) {
  Boxes boxes(root);
  boxes.add(root, 0, 0);
  return std::move(boxes).text();
}

std::string flame_hint(const CallNode& root, const StackOptions& options) {
  return fmt::format(
      "Below {}what is asked stands who asks, and below that who called them{}. Click or "
      "Enter zooms, Esc shows all, / finds, arrows move.",
      options.threads ? "each thread stands what it asks; below " : "",
      has_samples(root) ? " (lighter: by samples)"
      : options.exact   ? ""
                        : " (dashed: as first seen)");
}

}  // namespace clockshim
