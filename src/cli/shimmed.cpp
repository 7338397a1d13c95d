#include "cli/shimmed.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "cli/clocks_measured.h"
#include "cli/counter_evidence.h"
#include "cli/cpu_set.h"
#include "cli/run_settings.h"
#include "os/log.h"

namespace clockshim::cli {
namespace {

using Json = nlohmann::json;

// Where the library leaves its report. Without such a folder its mode stays unknown.
class ReportFolder {
 public:
  ReportFolder() {
    std::error_code error;
    std::string name = (std::filesystem::temp_directory_path(error) / "clockshim-doctor-XXXXXX").string();
    if (!error && mkdtemp(name.data()) != nullptr) path_ = name;
  }
  ~ReportFolder() {
    std::error_code error;
    if (!path_.empty()) std::filesystem::remove_all(path_, error);
  }
  ReportFolder(const ReportFolder&) = delete;
  ReportFolder& operator=(const ReportFolder&) = delete;
  [[nodiscard]] std::string setting() const { return path_.empty() ? "none" : escape_percent(path_) + "/report.json"; }
  [[nodiscard]] Json report() const {
    std::ifstream file(path_ + "/report.json");
    return Json::parse(file, nullptr, false);
  }

 private:
  std::string path_;
};

std::string own_path() {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/exe", error).string();
}

// What the child wrote to standard output. "", and `problem`, where it didn't run or failed.
std::string output_of(const std::vector<std::string>& argv, Environment& environment, std::string& problem) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) {
    problem = std::strerror(errno);
    return "";
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  std::vector<char*> arguments;
  arguments.reserve(argv.size() + 1);
  for (const std::string& argument : argv) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  pid_t child = -1;
  const int error = posix_spawn(&child, argv[0].c_str(), &actions, nullptr, arguments.data(), environment.pointers());
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  std::string text;
  char piece[4096];
  ssize_t got = 0;
  while (error == 0 && (got = read(ends[0], piece, sizeof piece)) > 0) text.append(piece, static_cast<std::size_t>(got));
  close(ends[0]);
  int status = 0;
  if (error == 0) waitpid(child, &status, 0);
  if (error != 0) problem = std::strerror(error);
  if (error == 0 && status != 0) {
    problem =
        WIFSIGNALED(status) ? "killed by signal " + std::to_string(WTERMSIG(status)) : "status " + std::to_string(WEXITSTATUS(status));
  }
  return problem.empty() ? text : "";
}

Json to_json(const Row& row) {
  return {{"clock", row.clock},
          {"calls", row.cost.calls},
          {"total", row.cost.total},
          {"median", row.cost.median},
          {"p99", row.cost.p99},
          {"p10", row.cost.p10},
          {"p90", row.cost.p90},
          {"readings", row.steps.readings},
          {"resolution", row.steps.resolution},
          {"backward", row.steps.backward},
          {"worst", row.steps.worst}};
}

Row row_from(const Json& json, const std::string& way) {
  Row row;
  row.way = way;
  json.at("clock").get_to(row.clock);
  json.at("calls").get_to(row.cost.calls);
  json.at("total").get_to(row.cost.total);
  json.at("median").get_to(row.cost.median);
  json.at("p99").get_to(row.cost.p99);
  json.at("p10").get_to(row.cost.p10);
  json.at("p90").get_to(row.cost.p90);
  json.at("readings").get_to(row.steps.readings);
  json.at("resolution").get_to(row.steps.resolution);
  json.at("backward").get_to(row.steps.backward);
  json.at("worst").get_to(row.steps.worst);
  return row;
}

void take_report(const Json& report, Shimmed& result) {
  if (!report.is_object()) return;
  result.mode = report.value("mode", "");
  result.mode_reason = report.value("mode_reason", "");
  const auto accuracy = report.find("accuracy");
  if (accuracy != report.end() && accuracy->value("samples", 0) > 0) result.error_ns = accuracy->value("max_ns", -1.0);
}

}  // namespace

const Row* Shimmed::row(std::string_view clock) const {
  for (const Row& row : rows) {
    if (row.clock == clock) return &row;
  }
  return nullptr;
}

Shimmed try_shim(const std::string& order, const Budget& budget, bool counter_allowed) {
  Shimmed result;
  result.order = order;
  const std::string self = own_path();
  const std::string library = find_library(self, getenv("CLOCKSHIM_LIBRARY"), result.problem);
  if (library.find_first_of(" :") != std::string::npos)
    result.problem = library + ": LD_PRELOAD takes no path with a blank or a colon in it";
  if (!result.problem.empty()) return result;
  const ReportFolder folder;
  const char* present = getenv("LD_PRELOAD");
  Environment environment(environ);
  environment.set("LD_PRELOAD", preload_with(library, present != nullptr ? present : ""));
  // As `clockshim run` would start it.
  const std::string counters = handed_over(look_at_counters(effective_settings({})));
  if (!counters.empty()) environment.set("CLOCKSHIM_COUNTERS", counters);
  environment.set("CLOCKSHIM_ORDER", order);
  environment.set("CLOCKSHIM_REPORT", folder.setting());
  environment.set("CLOCKSHIM_PROFILE", "sites");
  environment.set("CLOCKSHIM_CLOCKS", "all");
  environment.set("CLOCKSHIM_FOLLOW", "1");
  environment.set("CLOCKSHIM_ONLY", "*");
  environment.set("CLOCKSHIM_LOG", "off");
  const std::string arguments = std::to_string(budget.cost.raw()) + "," + std::to_string(budget.steps.raw()) + "," +
                                std::to_string(budget.threads.raw()) + "," + (counter_allowed ? "1" : "0");
  const std::string text = output_of({self, "bench", "--measure-for-parent", arguments}, environment, result.problem);
  if (!result.problem.empty()) return result;
  try {
    const Json json = Json::parse(text);
    for (const Json& row : json.at("rows")) result.rows.push_back(row_from(row, order));
    for (const Json& t : json.at("throughput")) result.throughput.push_back({order, t.at("threads"), t.at("calls_a_second")});
  } catch (const Json::exception& error) {
    result.problem = error.what();
  }
  take_report(folder.report(), result);
  return result;
}

int measure_for_parent(const std::string& arguments) {
  long long cost = 0;
  long long steps = 0;
  long long threads = 0;
  int counter = 0;
  if (std::sscanf(arguments.c_str(), "%lld,%lld,%lld,%d", &cost, &steps, &threads, &counter) != 4) return 2;
  const Budget budget{Nanos{cost}, Nanos{steps}, Nanos{threads}};
  const Way way = through_library("");
  Json json{{"rows", Json::array()}, {"throughput", Json::array()}};
  Timebase base;
  {
    const StayHere stay;
    base = calibrate(milliseconds(10), counter != 0);
  }
  for (const Row& row : measure_rows(way, budget, base)) json["rows"].push_back(to_json(row));
  for (const Throughput& t : measure_throughput(way, budget)) {
    json["throughput"].push_back({{"threads", t.threads}, {"calls_a_second", t.calls_a_second}});
  }
  return write_all(STDOUT_FILENO, json.dump() + "\n") == 0 ? 0 : 1;
}

}  // namespace clockshim::cli
