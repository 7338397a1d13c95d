// Tries what the shim does here: this command runs itself once more with the library preloaded,
// measures there, and reads the library's own report.
#pragma once

#include <string>
#include <vector>

#include "cli/machine/bench_rows.h"

namespace clockshim::cli {

struct ShimTrial {
  std::string order;        // "strict", "relaxed"
  std::string problem;      // "" if it ran
  std::string mode;         // coherent, aligned, percpu, passthrough; "" if unknown
  std::string mode_reason;  // as the library reports it
  double error_ns = -1;     // the largest error that a resync left possible; negative: unknown
  std::vector<Row> rows;
  std::vector<Throughput> throughput;

  [[nodiscard]] const Row* row(std::string_view clock) const;
  [[nodiscard]] bool served() const { return problem.empty() && mode != "passthrough"; }
};

ShimTrial try_shim(const std::string& order, const Budget& budget, bool counter_allowed);

// The child's side: measures, and prints the figures as JSON. `arguments` is what try_shim() wrote.
// Returns the exit status.
int measure_for_parent(const std::string& arguments);

}  // namespace clockshim::cli
