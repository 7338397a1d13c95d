// The flame graph as an SVG that needs nothing else: titles on hover, zoom on click.
#include <fmt/format.h>

#include "formats/flame.h"
#include "formats/formats.h"

namespace clockshim {

std::string render_flamegraph(const Reports& reports, const StackOptions& options) {
  constexpr double kMargin = 12;
  constexpr double kTop = 58;
  const CallNode root = call_tree(reports, options);
  const FlameSize size = flame_size(root);
  const double width = size.width + 2 * kMargin;
  const double height = size.height + kTop + kMargin;
  std::string out = fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" "
      "viewBox=\"0 0 {} {}\" width=\"{}\" "
      "height=\"{}\">\n",
      width, height, width, height);
  out += fmt::format("<title>{}: who asks for the time</title>\n<style>{}", markup(root.name),
                     kFlameStyle);
  out += R"(.page { fill: #fff; }
.head { font: 600 16px system-ui, sans-serif; fill: #1b2027; }
.hint { font: 12px system-ui, sans-serif; fill: #5a6472; }
@media (prefers-color-scheme: dark) { .page { fill: #14181d; } .head { fill: #eef1f5; } .hint { fill: #9aa5b3; } }
</style>
)";
  out += fmt::format("<rect class=\"page\" width=\"{}\" height=\"{}\" fill=\"#fff\"/>\n", width,
                     height);
  out += fmt::format("<text class=\"head\" x=\"{}\" y=\"24\">{}: who asks for the time</text>\n",
                     kMargin, markup(shortened(root.name, 60)));
  out += fmt::format("<text class=\"hint\" x=\"{}\" y=\"44\">{}{} calls. {}</text>\n", kMargin,
                     root.sampled ? "about " : "", grouped(root.calls), flame_hint(root, options));
  out += fmt::format(
      "<g transform=\"translate({} {})\">\n{}</g>\n<script><![CDATA[\n{}]]></script>\n</svg>\n",
      kMargin, kTop, flame_boxes(root), kFlameScript);
  return out;
}

}  // namespace clockshim
