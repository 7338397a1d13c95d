// Writes the figures of `clockshim bench` as JSON and reads them back: "rows" and "throughput" of
// docs/bench.schema.json. A child that measures under the shim passes them to its parent in the
// same form.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "cli/machine/bench_rows.h"

namespace clockshim::cli {

void write_rows(nlohmann::ordered_json& json, const std::vector<Row>& rows,
                const std::vector<Throughput>& throughput);

// Throws nlohmann::json::exception if something is missing, or has another type.
void read_rows(const nlohmann::ordered_json& json, std::vector<Row>& rows,
               std::vector<Throughput>& throughput);

}  // namespace clockshim::cli
