// The names of callers, the same in every format. Pure functions.
#pragma once

#include <algorithm>
#include <string>
#include <tuple>

#include "os/base_name.h"
#include "report/report.h"
#include "report/text.h"

namespace clockshim {

// How many of the first frames every call of the site has.
inline std::size_t exact_frames(const ReportSite& site) {
  return std::min(site.frames.size(), std::max<std::size_t>(site.exact_frames, 1));
}

// The frame under which the calls are counted: the last of the exact ones. Those before it are
// wrappers.
inline ReportFrame caller_of(const ReportSite& site) {
  return site.frames.empty() ? ReportFrame{} : site.frames[exact_frames(site) - 1];
}

inline bool is_blank(const std::string& s) {
  return one_line(s).find_first_not_of(' ') == std::string::npos;
}

// Whether it is an interpreter's function (Python): it has a source file, but no module.
inline bool interpreted(const ReportFrame& frame) {
  return frame.module.empty() && !frame.file.empty();
}

// The place in the source, as "server.c:190", or "". A file whose name every package has gets its
// folder, too: "http/__init__.py:12".
inline std::string place(const ReportFrame& frame) {
  if (frame.file.empty()) return "";
  std::string name = base_name(frame.file);
  const std::string folder =
      frame.file.substr(0, frame.file.size() - std::min(frame.file.size(), name.size() + 1));
  if (name.starts_with("__") && !folder.empty()) name.insert(0, base_name(folder) + "/");
  return one_line(name) + (frame.line == 0 ? "" : ":" + std::to_string(frame.line));
}

// The function's name, or its module and offset if that is unknown. One line, UTF-8. Interpreted
// functions have short names that often repeat, so the place is added: "handler (app.py:12)".
inline std::string function_name(const ReportFrame& frame) {
  if (interpreted(frame) && !is_blank(frame.symbol))
    return one_line(frame.symbol) + " (" + place(frame) + ")";
  if (!is_blank(frame.symbol)) return one_line(frame.symbol);
  if (frame.module.empty() && frame.offset == 0) return "unknown";
  return one_line(frame.module.empty() ? "generated code" : base_name(frame.module)) + "+0x" +
         hexadecimal(frame.offset);
}

inline std::string module_name(const ReportFrame& frame) {
  return interpreted(frame) ? "python" : one_line(base_name(frame.module));
}

// The place, unless the name has it already.
inline std::string place_beside_name(const ReportFrame& frame) {
  return interpreted(frame) ? "" : place(frame);
}

// The function and clock that are called: the innermost box of each stack.
inline std::string question(const ReportSite& site) {
  return one_line(site.function + "(" + site.clock + ")");
}

inline std::string process_name(const Report& report) {
  const std::string name = report.program.empty() ? "unknown" : one_line(report.program);
  if (report.pids.size() > 1)
    return name + " (" + std::to_string(report.pids.size()) + " processes)";
  return name + "[" + std::to_string(report.pid) + "]";
}

// The names of callers that had no room, or code that was made at run time: sites that stand for
// several (SiteKey::folded()).
inline constexpr const char* kOtherCallers = "other callers";
inline constexpr const char* kGeneratedCode = "generated code";

struct StackOptions {
  bool exact = false;  // leave out samples, and frames that were only seen at the first call
  bool threads =
      false;  // show each thread separately. Sampled stacks, which have no threads, are left out
  std::size_t width = 0;  // of lines for people, in characters; 0: that of files
};

// How many of a stack's frames to draw.
inline std::size_t drawn_frames(const ReportSite& site, const StackOptions& options) {
  return options.exact ? exact_frames(site) : site.frames.size();
}

// What is known of a frame: every call of its site had it; or only the first call is known to have
// had it; or, behind a sampled stack's caller, the calls are shared by samples.
enum class Seen { always, first, sampled };
inline Seen seen_in(const ReportSite& site, std::size_t i) {
  if (i < exact_frames(site)) return Seen::always;
  return site.sampled ? Seen::sampled : Seen::first;
}

// Marks a name that is not exact, in formats that have no other way.
inline const char* mark_of(const ReportSite& site, std::size_t i) {
  constexpr const char* kMarks[] = {"", " [first seen]", " [sampled]"};
  return kMarks[static_cast<unsigned>(seen_in(site, i))];
}

}  // namespace clockshim
