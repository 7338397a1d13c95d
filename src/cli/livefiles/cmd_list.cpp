#include "cli/livefiles/cmd_list.h"

#include <sys/stat.h>
#include <unistd.h>

#include <ctime>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "cli/console/command_line.h"
#include "cli/console/output.h"
#include "cli/console/terminal_width.h"
#include "cli/livefiles/live_dir.h"
#include "os/log.h"
#include "report/fitted_table.h"
#include "report/text.h"
#include "report/wrap.h"

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

// Only the time of a moment today, only the day of one before.
std::string short_time_of(double seconds) {
  const std::string whole = local_time(seconds);
  const std::size_t blank = whole.find(' ');
  const std::string now = local_time(static_cast<double>(std::time(nullptr)));
  return blank != std::string::npos && whole.substr(0, blank) == now.substr(0, blank)
             ? whole.substr(blank + 1)
             : whole.substr(0, blank);
}

// Where a line has no room for the file, it stands below; then the program gets what the other
// columns leave.
std::string as_text(const std::vector<Row>& rows, std::size_t width) {
  constexpr std::size_t kWholeTimes = 80;  // a terminal with room for them
  constexpr std::size_t kProgram = 1;
  constexpr std::size_t kFile = 6;
  using Side = TableColumn::Side;
  FittedTable table({{"pid", Side::right},
                     {"program"},
                     {"state"},
                     {"since"},
                     {"calls", Side::right},
                     {"mode"},
                     {"file"}});
  for (const auto& [r, path] : rows) {
    table.add_row({std::to_string(r.pid), one_line(r.program), r.state,
                   width == 0 || width >= kWholeTimes ? local_time(r.started_at)
                                                      : short_time_of(r.started_at),
                   grouped(r.calls()), one_line(r.mode), one_line(path)});
  }
  const bool beside = width == 0 || table.width_before(kFile) + table.width(kFile) <= width;
  if (!beside) {
    const std::size_t others = table.width_before(kFile) - table.width(kProgram) - 2;
    table.narrow(kProgram, width - std::min(width, others));
  }
  std::string out = table.headings(beside ? kFile + 1 : kFile);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    out += table.row(i, beside ? kFile + 1 : kFile);
    if (!beside) out += wrapped_behind("    ", one_line(rows[i].path), width);
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
  const Folders folders = live_folders_of_all(options.dir);
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
  print(options.json ? as_json(rows) : as_text(rows, terminal_width(STDOUT_FILENO)));
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
