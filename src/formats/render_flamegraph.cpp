// The flame graph as an SVG that needs nothing else: titles on hover, zoom on click.
#include <fmt/format.h>

#include "formats/flame.h"
#include "formats/formats.h"
#include "formats/page_assets.h"

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
  out += fmt::format("<title>{}: who asks for the time</title>\n<style>\n{}{}</style>\n",
                     markup(root.name), kFlameStyle, kFlamegraphStyle);
  out += fmt::format("<rect class=\"page\" width=\"{}\" height=\"{}\" fill=\"#fff\"/>\n", width,
                     height);
  out += fmt::format("<text class=\"head\" x=\"{}\" y=\"24\">{}: who asks for the time</text>\n",
                     kMargin, markup(shortened(root.name, 60)));
  out += fmt::format("<text class=\"hint\" x=\"{}\" y=\"44\">{} calls. {}</text>\n", kMargin,
                     grouped(root.calls), flame_hint(root, options));
  out += fmt::format(
      "<g transform=\"translate({} {})\">\n{}</g>\n<script><![CDATA[\n{}]]></script>\n</svg>\n",
      kMargin, kTop, flame_boxes(root), kFlameScript);
  return out;
}

}  // namespace clockshim
