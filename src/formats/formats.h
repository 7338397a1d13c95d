// The formats that the command writes. Each is one render_*.cpp.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "report/frames.h"
#include "report/report.h"

namespace clockshim {

using Reports = std::vector<Report>;

std::string render_tree(const Reports& reports, const StackOptions& options);
std::string render_folded(const Reports& reports, const StackOptions& options);
std::string render_speedscope(const Reports& reports, const StackOptions& options);
std::string render_pprof(const Reports& reports, const StackOptions& options);
std::string render_callgrind(const Reports& reports, const StackOptions& options);
std::string render_flamegraph(const Reports& reports, const StackOptions& options);
std::string render_html(const Reports& reports, const StackOptions& options);
std::string render_openmetrics(const Reports& all, const StackOptions& options);
std::string render_prometheus(const Reports& all, const StackOptions& options);

struct Format {
  const char* name;
  const char* help;
  // Writes all reports into one text. table and json write them one after the other.
  std::string (*render)(const Reports& reports, const StackOptions& options);
  bool merges = false;  // it shows one report only, so several are merged
  bool binary = false;
};

const std::vector<Format>& formats();
const Format* find_format(std::string_view name);  // null: there is none

}  // namespace clockshim
