// The figures of `clockshim bench` as text, JSON (docs/bench.schema.json) and SVG.
#pragma once

#include <string>
#include <vector>

#include "cli/machine/shim_trial.h"

namespace clockshim::cli {

struct BenchReport {
  std::string cpu;
  std::string kernel;
  std::string clocksource;
  std::vector<Row> rows;
  std::vector<Throughput> throughput;
  std::vector<ShimTrial> shims;  // strict and relaxed; their rows are among the above
};

// The clocks, each once, in the order in which they were measured.
std::vector<std::string> clocks_of(const BenchReport& report);
const Row* find_row(const BenchReport& report, const std::string& clock, const std::string& way);

// At most `width` wide, by several tables below each other if need be; 0: as wide as it takes.
std::string render_bench_text(const BenchReport& report, std::size_t width = 0);
std::string render_bench_json(const BenchReport& report);
std::string render_bench_svg(const BenchReport& report);

}  // namespace clockshim::cli
