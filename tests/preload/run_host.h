// Runs a host program with or without the shim and says how it ended. Every preload test goes
// through here: the test process itself is never interposed, and a host that hangs is killed and
// told about instead of hanging the test.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "../support/temp_dir.h"

namespace clockshim::test {

using Json = nlohmann::json;

// What the host's descriptor 2 is.
enum class Stderr { captured, closed, pipe_without_reader };

struct HostOptions {
  std::vector<std::string> arguments{};
  std::map<std::string, std::string>
      environment{};  // beside ours, from which CLOCKSHIM_* and LD_PRELOAD are taken out
  bool shim = true;
  std::string preload_before{};  // another library in LD_PRELOAD, before the shim
  std::string preload_after{};
  bool report = false;  // ask for a JSON report of every process, by %p
  Stderr stderr_is = Stderr::captured;
  std::chrono::seconds limit{
      120};  // a hang is told apart from a slow machine by this; nothing else depends on time
};

struct HostRun {
  std::string out;
  std::string err;
  int exit_code = -1;  // -1: ended by a signal
  int signal = 0;
  bool timed_out = false;
  std::map<long, Json> reports{};  // by process number

  // "exit 3", "signal 11" or "hung": what two runs of one host are compared by.
  [[nodiscard]] std::string ending() const;
};

// Path of the shim, and of a file among the hosts, or anywhere (a path from the root). Fail the
// test where meson did not pass them.
std::string shim_path();
std::string host_path(const std::string& name);
// Path of the lab's program that makes clocks slow.
std::string slowclock_path();

// Adds a failure where the host hung, or where a report was asked for and one is not JSON.
HostRun run_host(const std::string& name, const HostOptions& options = {});

// The host's own words: the numbers of every line "WORD PID NUMBER" of its output, by process.
std::map<long, long> numbers_by_process(const HostRun& run, const std::string& word);

// Calls that a report tells: of all clocks; of one function; of the sites with this symbol in one
// of the first `frames` frames.
long calls_in_all(const Json& report);
long calls_of_function(const Json& report, const std::string& function);
long calls_from(const Json& report, const std::string& symbol, std::size_t frames = 1);

// Every process that said how often it called ("calls PID NUMBER") has a report, and the report
// says the same number. The clocks and the sites of one report agree too.
void expect_exact_counts(const HostRun& run, std::size_t processes);

std::vector<std::string> lines_of(const std::string& text);

}  // namespace clockshim::test
