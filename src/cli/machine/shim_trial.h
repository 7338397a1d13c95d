// What the shim does here, seen by trying: this command runs itself once more with the library
// preloaded, measures in there, and reads the library's own report.
#pragma once

#include <string>
#include <vector>

#include "cli/machine/bench_rows.h"

namespace clockshim::cli {

struct ShimTrial {
  std::string order;        // "strict", "relaxed"
  std::string problem;      // "" where it ran
  std::string mode;         // coherent, percpu, passthrough; "" unknown
  std::string mode_reason;  // as the library tells it
  double error_ns = -1;     // the largest error that a resync left possible; below 0: not told
  std::vector<Row> rows;
  std::vector<Throughput> throughput;

  [[nodiscard]] const Row* row(std::string_view clock) const;
  [[nodiscard]] bool served() const { return problem.empty() && mode != "passthrough"; }
};

ShimTrial try_shim(const std::string& order, const Budget& budget, bool counter_allowed);

// The child's side: measures, and prints the figures as JSON. `arguments` is what try_shim() wrote.
// Exit status.
int measure_for_parent(const std::string& arguments);

}  // namespace clockshim::cli
