// The style sheets and scripts of the page and of the flame graph, without any data. They stand in
// *.css and *.js in this folder, from which embed.py makes the definitions when the program is
// built. Each ends in a line feed.
#pragma once

namespace clockshim {

extern const char* const kPageStyle;        // page.css
extern const char* const kPageScript;       // page.js: sorts tables, and filters callers
extern const char* const kFlameStyle;       // flame.css, for the page and for the SVG
extern const char* const kFlameScript;      // flame.js: zooms, and finds, by mouse and keys
extern const char* const kFlamegraphStyle;  // flamegraph.css: what surrounds the boxes in the SVG
extern const char* const kRateStyle;        // rates.css

}  // namespace clockshim
