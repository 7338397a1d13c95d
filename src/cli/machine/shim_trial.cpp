#include "cli/machine/shim_trial.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>

#include "cli/console/output.h"
#include "cli/inject/preload_environment.h"
#include "cli/inject/private_folder.h"
#include "cli/machine/clocks_measured.h"
#include "cli/machine/cpu_set.h"
#include "cli/machine/rows_json.h"
#include "cli/machine/saved_counters.h"
#include "os/process.h"
#include "os/read_file.h"
#include "os/settings.h"

namespace clockshim::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kReport = "/report.json";

// Runs a child and returns its standard output. "", with `problem`, if it did not run or failed.
std::string output_of(const std::vector<std::string>& argv, Environment& environment,
                      std::string& problem) {
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
  const int error = posix_spawn(&child, argv[0].c_str(), &actions, nullptr, arguments.data(),
                                environment.pointers());
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  std::string text;
  char piece[4096];
  ssize_t got = 0;
  while (error == 0 && (got = read(ends[0], piece, sizeof piece)) > 0)
    text.append(piece, static_cast<std::size_t>(got));
  close(ends[0]);
  int status = 0;
  if (error == 0) waitpid(child, &status, 0);
  if (error != 0) problem = std::strerror(error);
  if (error == 0 && status != 0) {
    problem = WIFSIGNALED(status) ? "killed by signal " + std::to_string(WTERMSIG(status))
                                  : "status " + std::to_string(WEXITSTATUS(status));
  }
  return problem.empty() ? text : "";
}

// Takes mode and errors from the library's own report. Without one the mode remains unknown.
void take_report(const std::string& path, ShimTrial& result) {
  const Json report = Json::parse(content_of(path), nullptr, false);
  if (!report.is_object()) return;
  result.mode = report.value("mode", "");
  result.mode_reason = report.value("mode_reason", "");
  const auto accuracy = report.find("accuracy");
  if (accuracy != report.end() && accuracy->value("samples", 0) > 0)
    result.error_ns = accuracy->value("max_ns", -1.0);
}

}  // namespace

const Row* ShimTrial::row(std::string_view clock) const {
  for (const Row& row : rows) {
    if (row.clock == clock) return &row;
  }
  return nullptr;
}

ShimTrial try_shim(const std::string& order, const Budget& budget, bool counter_allowed) {
  ShimTrial result;
  result.order = order;
  const std::string self = executable_path();
  const std::string library = find_library(self, getenv("CLOCKSHIM_LIBRARY"), result.problem);
  if (library.find_first_of(" :") != std::string::npos)
    result.problem = library + ": LD_PRELOAD takes no path with a blank or a colon in it";
  if (!result.problem.empty()) return result;
  const PrivateFolder folder("doctor");
  const char* present = getenv("LD_PRELOAD");
  Environment environment(environ);
  environment.set("LD_PRELOAD", preload_with(library, present != nullptr ? present : ""));
  // Start it as `clockshim run` would.
  const Settings settings = read_settings([](const char* variable) { return getenv(variable); });
  const CountersForProgram counters(settings, false);
  if (!counters.value().empty()) environment.set("CLOCKSHIM_COUNTERS", counters.value());
  environment.set("CLOCKSHIM_ORDER", order);
  environment.set("CLOCKSHIM_REPORT",
                  folder.made() ? escape_percent(folder.path()) + kReport : "none");
  environment.set("CLOCKSHIM_PROFILE", "sites");
  environment.set("CLOCKSHIM_CLOCKS", "all");
  environment.set("CLOCKSHIM_FOLLOW", "1");
  environment.set("CLOCKSHIM_ONLY", "*");
  environment.set("CLOCKSHIM_LOG", "off");
  const std::string arguments =
      std::to_string(budget.cost.raw()) + "," + std::to_string(budget.steps.raw()) + "," +
      std::to_string(budget.threads.raw()) + "," + (counter_allowed ? "1" : "0");
  const std::string text =
      output_of({self, "bench", "--measure-for-parent", arguments}, environment, result.problem);
  if (!result.problem.empty()) return result;
  try {
    read_rows(Json::parse(text), result.rows, result.throughput);
  } catch (const Json::exception& error) {
    result.problem = error.what();
  }
  for (Row& row : result.rows) row.way = order;
  for (Throughput& throughput : result.throughput) throughput.way = order;
  if (folder.made()) take_report(folder.path() + kReport, result);
  return result;
}

int measure_for_parent(const std::string& arguments) {
  long long cost = 0;
  long long steps = 0;
  long long threads = 0;
  int counter = 0;
  if (std::sscanf(arguments.c_str(), "%lld,%lld,%lld,%d", &cost, &steps, &threads, &counter) != 4)
    return 2;
  const Budget budget{Nanos{cost}, Nanos{steps}, Nanos{threads}};
  const ClockReader way = through_library("");
  Timebase base;
  {
    const StayHere stay;
    base = calibrate(milliseconds(10), counter != 0);
  }
  Json json;
  const std::vector<Row> rows = measure_rows(way, budget, base);
  write_rows(json, rows, measure_throughput(way, budget));
  print(json.dump() + "\n");
  return 0;
}

}  // namespace clockshim::cli
