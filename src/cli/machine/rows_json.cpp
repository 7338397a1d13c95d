#include "cli/machine/rows_json.h"

#include <nlohmann/json.hpp>

namespace clockshim::cli {
namespace {

using Json = nlohmann::ordered_json;

// Visits each figure with its name, in a const row for writing, in a mutable one for reading.
template <class AnyRow, class Visit>
void each_of_row(AnyRow& row, Visit visit) {
  visit("clock", row.clock);
  visit("way", row.way);
  visit("calls", row.cost.calls);
  visit("total_ns", row.cost.total);
  visit("median_ns", row.cost.median);
  visit("p99_ns", row.cost.p99);
  visit("p10_ns", row.cost.p10);
  visit("p90_ns", row.cost.p90);
  visit("readings", row.steps.readings);
  visit("resolution_ns", row.steps.resolution);
  visit("backward", row.steps.backward);
  visit("worst_backward_ns", row.steps.worst);
}

template <class AnyThroughput, class Visit>
void each_of_throughput(AnyThroughput& throughput, Visit visit) {
  visit("way", throughput.way);
  visit("threads", throughput.threads);
  visit("calls_per_second", throughput.calls_a_second);
}

auto into(Json& json) {
  return [&json](const char* name, const auto& figure) { json[name] = figure; };
}

auto out_of(const Json& json) {
  return [&json](const char* name, auto& figure) { json.at(name).get_to(figure); };
}

}  // namespace

void write_rows(Json& json, const std::vector<Row>& rows,
                const std::vector<Throughput>& throughput) {
  json["rows"] = Json::array();
  for (const Row& row : rows) {
    Json one;
    each_of_row(row, into(one));
    one["average_ns"] = row.cost.average();  // for readers; it follows from the others
    json["rows"].push_back(std::move(one));
  }
  json["throughput"] = Json::array();
  for (const Throughput& t : throughput) {
    Json one;
    each_of_throughput(t, into(one));
    json["throughput"].push_back(std::move(one));
  }
}

void read_rows(const Json& json, std::vector<Row>& rows, std::vector<Throughput>& throughput) {
  for (const Json& one : json.at("rows")) each_of_row(rows.emplace_back(), out_of(one));
  for (const Json& one : json.at("throughput"))
    each_of_throughput(throughput.emplace_back(), out_of(one));
}

}  // namespace clockshim::cli
