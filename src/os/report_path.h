// Where a report goes: whether CLOCKSHIM_REPORT names a file, and whether that file can be written.
#pragma once

#include <string>
#include <string_view>

namespace clockshim {

inline constexpr const char* kReportPathIsDirectory =
    "is a directory; must be stderr, none, or a path of a file";

// Whether the value of CLOCKSHIM_REPORT names a file.
inline bool report_is_path(std::string_view report) {
  return !report.empty() && report != "stderr" && report != "none";
}

// Why a report can't be written to `path` now, as words that follow the path; "" if it can, as far
// as can be seen before (a disk may be full). If there is no such file, it would have to be made in
// `folder`, which the message names as it is given.
std::string report_path_problem(const std::string& path, const std::string& folder);

}  // namespace clockshim
