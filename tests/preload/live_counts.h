// What processes left to be read: the counts in a folder of live files, and the board on which a
// host's processes keep their own counts. Live files are read through the command, as users do:
// what they are made of is the affair of the library and the command alone.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <sstream>

#include "../hosts/board.h"
#include "run_host.h"

namespace clockshim::test {

struct LeftBehind {
  std::map<long, long> calls;  // by process
  std::size_t files = 0;       // names in the folder, whatever they are
  std::vector<Json> reports;   // only left_in() reads them
};

inline long sum_of(const std::map<long, long>& by_process) {
  long sum = 0;
  for (const auto& [pid, calls] : by_process) sum += calls;
  return sum;
}

// Runs `clockshim` with these arguments, and returns what it wrote to standard output.
inline std::string ask_clockshim(const std::vector<std::string>& arguments) {
  const char* command = std::getenv("CLOCKSHIM_TEST_COMMAND");
  EXPECT_NE(command, nullptr) << "CLOCKSHIM_TEST_COMMAND is not set: run this test through meson";
  if (command == nullptr) return "";
  const HostRun run = run_host(command, {.arguments = arguments, .shim = false});
  EXPECT_EQ(run.ending(), "exit 0") << run.out << run.err;
  EXPECT_EQ(run.err, "");
  return run.out;
}

inline std::vector<std::string> names_in(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  std::error_code missing;
  for (const auto& entry : std::filesystem::directory_iterator(folder, missing)) {
    names.push_back(entry.path().filename());
  }
  return names;
}

// By `clockshim list`: quick, and without the reports.
inline LeftBehind counted_in(const std::filesystem::path& folder) {
  LeftBehind left;
  left.files = names_in(folder).size();
  const std::string text = ask_clockshim({"list", "--json", "--dir", folder});
  const Json listed = Json::parse(text, nullptr, false);
  EXPECT_FALSE(listed.is_discarded()) << text;
  if (listed.is_discarded()) return left;
  for (const Json& file : listed.at("files")) {
    left.calls[file.at("pid").get<long>()] += file.at("calls").get<long>();
  }
  return left;
}

// By `clockshim report`: the whole of each file.
inline LeftBehind left_in(const std::filesystem::path& folder) {
  LeftBehind left;
  std::vector<std::string> arguments{"report", "--format", "json"};
  for (const std::string& name : names_in(folder)) {
    ++left.files;
    if (name.ends_with(".live") && !name.starts_with('.')) arguments.push_back(folder / name);
  }
  if (arguments.size() == 3) return left;
  std::istringstream documents(ask_clockshim(arguments));
  while (documents >> std::ws && !documents.eof()) {
    Json report;
    documents >> report;
    left.calls[report.at("pid").get<long>()] += calls_in_all(report);
    left.reports.push_back(std::move(report));
  }
  return left;
}

// All calls of a host's processes that somebody can still read: in reports, and in what was left in
// the folder.
inline long calls_accounted_for(const HostRun& run, const std::filesystem::path& folder) {
  long calls = sum_of(counted_in(folder).calls);
  for (const auto& [pid, report] : run.reports) calls += calls_in_all(report);
  return calls;
}

// The same, and how many calls are said to have been dropped.
struct Account {
  long calls = 0;
  long dropped = 0;
};
inline Account account_of(const HostRun& run, const std::filesystem::path& folder) {
  Account account;
  const auto add = [&](const Json& report) {
    account.calls += calls_in_all(report);
    account.dropped += report.at("dropped").get<long>();
  };
  for (const auto& [pid, report] : run.reports) add(report);
  for (const Json& report : left_in(folder).reports) add(report);
  return account;
}

// A board for one run of a host; its path is an argument of the host.
class BoardFile {
 public:
  explicit BoardFile(const std::filesystem::path& path)
      : path_(path), board_(board_make(path_.c_str())) {}
  ~BoardFile() { board_close(board_); }
  BoardFile(const BoardFile&) = delete;
  BoardFile& operator=(const BoardFile&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }
  const Board* operator->() const { return board_; }

 private:
  std::string path_;
  Board* board_;
};

}  // namespace clockshim::test
