// The flame graph, for the SVG and for the page: what was asked at the top (below the threads,
// where they are drawn apart), who asked below it, who called them further down.
#pragma once

#include <string>

#include "formats/call_tree.h"

namespace clockshim {

struct FlameSize {
  double width;
  double height;
};

// How large it will be, in SVG's units, and its boxes, without the <svg> around them. Boxes
// narrower than a tenth of a unit are left out.
FlameSize flame_size(const CallNode& root);
std::string flame_boxes(const CallNode& root);

// How to read it: a sentence or two.
std::string flame_hint(const CallNode& root, const StackOptions& options);

// A box is explained by its title, and a click on it makes it as wide as the picture. Both stand
// once in a document.
extern const char* const kFlameStyle;
extern const char* const kFlameScript;

}  // namespace clockshim
