// The flame graph, for the SVG and for the page: what was asked at the top, who asked below it, who called them further down.
#pragma once

#include <string>

#include "report/call_tree.h"

namespace clockshim {

struct FlameSize {
  double width;
  double height;
};

// How large it will be, in SVG's units, and its boxes, without the <svg> around them. Boxes narrower than a tenth of a unit are left out.
FlameSize flame_size(const CallNode& root);
std::string flame_boxes(const CallNode& root);

// A box is explained by its title, and a click on it makes it as wide as the picture. Both stand once in a document.
extern const char* const kFlameStyle;
extern const char* const kFlameScript;

}  // namespace clockshim
