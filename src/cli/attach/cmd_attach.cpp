#include "cli/attach/cmd_attach.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cli/attach/attachment.h"
#include "cli/console/command_line.h"
#include "cli/console/output.h"
#include "cli/console/values.h"
#include "cli/inject/proc_files.h"
#include "cli/inject/setting_options.h"
#include "cli/livefiles/find_processes.h"
#include "cli/livefiles/live_process.h"
#include "cli/machine/saved_counters.h"
#include "os/log.h"
#include "report/text.h"

namespace clockshim::cli {
namespace {

// Some process could not be attached to, or detached from.
constexpr int kNotAll = 1;

// The settings that mean something to a process that runs.
constexpr std::array kSettingsOfAttach = {SettingId::tolerance, SettingId::counters,
                                          SettingId::clocks,    SettingId::profile,
                                          SettingId::dir,       SettingId::log};

struct Words {
  std::vector<std::string> words;
  bool tree = false;
};

// Every process by its parent.
std::vector<std::pair<long, long>> children_of_all() {
  std::vector<std::pair<long, long>> out;
  for (const long pid : all_processes()) {
    const StatFile stat(proc_file(static_cast<pid_t>(pid), "stat"));
    if (stat) out.emplace_back(stat.parent(), pid);
  }
  return out;
}

// A process, and whether it was found by its name or its parent: then it may have ended by now.
struct Meant {
  long pid;
  bool found;
};

void add(std::vector<Meant>& all, long pid, bool found) {
  if (found && (pid == getpid() || pid == 1)) return;  // nobody means us, or the first process
  const bool known =
      std::any_of(all.begin(), all.end(), [pid](const Meant& one) { return one.pid == pid; });
  if (!known) all.push_back({pid, found});
}

std::vector<Meant> processes_meant(const Words& given) {
  std::vector<Meant> out;
  if (given.words.empty()) throw BadUsage("no process");
  for (const std::string& word : given.words) {
    std::vector<long> pids = process_ids(word);
    const bool by_name = pids.empty();
    if (word.empty()) throw BadUsage("\"\": must be a process id, or the name of a program");
    if (by_name) pids = processes_named(word);
    if (pids.empty()) throw BadUsage(one_line(word) + ": no process of this name runs");
    for (const long pid : pids) add(out, pid, by_name);
  }
  if (!given.tree) return out;
  const auto all = children_of_all();
  for (std::size_t i = 0; i < out.size(); ++i) {
    for (const auto& [parent, child] : all) {
      if (parent == out[i].pid) add(out, child, true);
    }
  }
  return out;
}

std::string in_milliseconds(std::chrono::nanoseconds time) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f ms", static_cast<double>(time.count()) / 1e6);
  return text;
}

// What a line begins with: "redis-server[12]: ".
std::string begin_of_line(long pid) {
  const std::string number = std::to_string(pid);
  const std::string name = name_of_process(pid);
  return (name.empty() ? "process " + number : one_line(name) + "[" + number + "]") + ": ";
}

// Does something with each of the processes. The line about it says what `done` makes of the
// result.
int with_all(const std::vector<Meant>& processes, const std::string& undone,
             const std::function<AttachResult(pid_t)>& act,
             const std::function<std::string(const AttachResult&, const std::string&)>& done) {
  int status = 0;
  for (const auto& [pid, found] : processes) {
    const std::string begin = begin_of_line(pid);
    const AttachResult result = act(static_cast<pid_t>(pid));
    if (result.done) {
      print(begin + done(result, begin) + "; it stood still for " +
            in_milliseconds(result.stopped) + "\n");
    } else if (!found || (!result.gone && !result.already)) {
      std::string line = begin + undone + ": " + result.words;
      if (result.stopped >= std::chrono::milliseconds(1))
        line += "; it stood still for " + in_milliseconds(result.stopped);
      say(LogLevel::error, LogLevel::error, line);
      status = kNotAll;
    }
  }
  return status;
}

int attach_all(const Words& given, const std::vector<SettingOption>& options) {
  const std::vector<Meant> processes = processes_meant(given);
  Settings settings = effective_settings(options);
  for (const auto* const errors : {&settings.serving_errors, &settings.observing_errors}) {
    if (!errors->empty()) throw BadUsage(errors->front());
  }
  const CountersForProgram counters(settings, true);
  settings = settings_with(options, counters);
  settings.order = Order::strict;  // which the image knows alone
  return with_all(
      processes, "not attached", [&](pid_t pid) { return attach(pid, settings); },
      [&](const AttachResult& result, const std::string& begin) {
        if (!result.uncounted.empty())
          say(LogLevel::warn, settings.log, begin + "no live file: " + result.uncounted);
        return "served, mode " + result.words + " (" + result.reason + ")";
      });
}

int detach_all(const Words& given) {
  return with_all(processes_meant(given), "not detached", detach,
                  [](const AttachResult&, const std::string&) { return "no longer served"; });
}

void take_processes(Command& command, Words& given) {
  command.flag("--tree", given.tree, "also all processes that these have started");
  command.arguments("PROCESS...", "process ids, or the names of programs",
                    [&given](const std::string& word) {
                      given.words.push_back(word);
                      return std::string();
                    });
  command.footer("Exit status: 0; 1: some could not be; 2: a mistake in the command line.");
}

}  // namespace

void add_attach_command(CommandLine& line) {
  struct Given {
    Words words;
    std::vector<SettingOption> options = setting_options();
  };
  auto given = std::make_shared<Given>();
  std::erase_if(given->options, [](const SettingOption& option) {
    return std::find(kSettingsOfAttach.begin(), kSettingsOfAttach.end(), option.setting->id) ==
           kSettingsOfAttach.end();
  });
  Command& command = line.add("attach", "clockshim attach [OPTION...] PROCESS...",
                              "serve processes that run already",
                              [given] { return attach_all(given->words, given->options); });
  for (SettingOption& option : given->options) {
    command.option(option_name(*option.setting), option.setting->placeholder,
                   option_help(*option.setting),
                   [&option](const std::string& value) { return take_value(option, value); });
  }
  take_processes(command, given->words);
}

void add_detach_command(CommandLine& line) {
  auto given = std::make_shared<Words>();
  Command& command = line.add("detach", "clockshim detach [--tree] PROCESS...",
                              "end the service of processes that were attached to",
                              [given] { return detach_all(*given); });
  take_processes(command, *given);
}

}  // namespace clockshim::cli
