// The flame graph, for the SVG and for the page: the clock that was read is at the top (below the
// threads, if they are shown separately), its callers are below it, and their callers further down.
#pragma once

#include <string>

#include "formats/call_tree.h"

namespace clockshim {

struct FlameSize {
  double width;
  double height;
};

// The size, in SVG's units, and the boxes, without the <svg> around them. Boxes narrower than a
// tenth of a unit are left out.
FlameSize flame_size(const CallNode& root);
std::string flame_boxes(const CallNode& root);

// An explanation for readers, in a sentence or two.
std::string flame_hint(const CallNode& root, const StackOptions& options);

}  // namespace clockshim
