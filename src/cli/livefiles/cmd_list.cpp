#include "cli/livefiles/cmd_list.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <ctime>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "cli/console/command_line.h"
#include "cli/console/output.h"
#include "cli/livefiles/live_dir.h"
#include "os/log.h"
#include "report/text.h"

namespace clockshim::cli {
namespace {

struct Row {
  Report report;
  std::string path;
};

std::string local_time(double seconds) {
  const auto whole = static_cast<std::time_t>(seconds);
  std::tm parts{};
  char text[32] = "";
  if (localtime_r(&whole, &parts) == nullptr ||
      std::strftime(text, sizeof text, "%F %T", &parts) == 0)
    return "?";
  return text;
}

constexpr const char* kLine = "{:>8}  {:<16} {:<7}  {:<19} {:>15}  {:<11}  {}\n";

std::string as_text(const std::vector<Row>& rows) {
  std::string out = fmt::format(kLine, "pid", "program", "state", "since", "calls", "mode", "file");
  for (const auto& [r, path] : rows) {
    out += fmt::format(kLine, r.pid, shortened(one_line(r.program), 16), r.state,
                       local_time(r.started_at), grouped(r.calls()), r.mode, one_line(path));
  }
  return out;
}

std::string as_json(const std::vector<Row>& rows) {
  auto all = nlohmann::ordered_json::array();
  for (const auto& [r, path] : rows) {
    all.push_back({{"pid", r.pid},
                   {"program", r.program},
                   {"state", r.state},
                   {"started_at", r.started_at},
                   {"seconds", r.seconds},
                   {"calls", r.calls()},
                   {"mode", r.mode},
                   {"forked_from", r.forked_from},
                   {"file", path}});
  }
  return nlohmann::ordered_json{{"schema_version", 1}, {"files", all}}.dump(
             2, ' ', false, nlohmann::json::error_handler_t::replace) +
         "\n";
}

struct ListOptions {
  bool json = false;
  std::string dir;  // "": CLOCKSHIM_DIR, or the folder of our own user
};

int list(const ListOptions& options) {
  const Folders folders = live_folders(options.dir);
  std::vector<Row> rows;
  for (const std::string& path : live_files(folders)) {
    std::string problem;
    const auto file = LiveFile::open(path, problem);
    if (file) {
      rows.push_back({file->report(), path});
    } else if (struct stat info;
               !problem.empty() && lstat(path.c_str(), &info) == 0 && !is_dangling(path)) {
      // A process that ends removes its file if it can. After chroot it can't, and the name
      // remains.
      say(LogLevel::warn, LogLevel::warn, one_line(path) + ": " + problem);
    }
  }
  if (rows.empty() && !options.json) {
    say(LogLevel::info, LogLevel::info, "no live files in " + one_line(in_words(folders)));
    return 0;
  }
  print(options.json ? as_json(rows) : as_text(rows));
  return 0;
}

}  // namespace

void add_list_command(CommandLine& line) {
  auto options = std::make_shared<ListOptions>();
  Command& command =
      line.add("list", "clockshim list [--json] [--dir D]",
               "list the processes that have a live file", [options] { return list(*options); });
  command.flag("--json", options->json, "print JSON, for programs");
  add_folder_option(command, options->dir);
}

}  // namespace clockshim::cli
