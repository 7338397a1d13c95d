// The command lines of list, gc, top and diff. For main.cpp alone: it includes CLI11.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "cli/livefiles/cmd_gc.h"
#include "cli/livefiles/cmd_list.h"
#include "cli/report/cmd_diff.h"
#include "cli/top/cmd_top.h"

namespace clockshim::cli {

inline constexpr const char* kDiffUsage = "clockshim diff [--json] BEFORE AFTER";
inline constexpr const char* kListUsage = "clockshim list [--json] [--dir D]";
inline constexpr const char* kGcUsage = "clockshim gc [--dry-run] [--dir D]";
inline constexpr const char* kTopUsage =
    "clockshim top [--once] [--json] [--interval D] [--dir D] [PID]";

// At most one of them is parsed. `formatter` makes a CLI::FormatterBase from a usage line.
class LiveCommands {
 public:
  template <class F>
  LiveCommands(CLI::App& app, F formatter)
      : list_(app.add_subcommand("list", "Who has a live file here")),
        gc_(app.add_subcommand("gc", "Removes the live files of processes that are gone")),
        top_(app.add_subcommand("top", "Who asks for the time now, and how often")),
        diff_(app.add_subcommand("diff", "What changed between two runs, by caller")) {
    const auto dir = [](CLI::App* command, std::string& value) {
      command
          ->add_option("--dir", value,
                       "the folder of live files (default: CLOCKSHIM_DIR, or "
                       "/dev/shm/clockshim-UID; for root those of all users)")
          ->type_name("D");
    };
    list_->formatter(formatter(kListUsage));
    list_->add_flag("--json", list_options_.json, "for programs");
    dir(list_, list_options_.dir);
    gc_->formatter(formatter(kGcUsage));
    gc_->add_flag("--dry-run", gc_options_.dry_run, "only tell which");
    dir(gc_, gc_options_.dir);
    gc_->footer("Exit status: 0; 1: a file could not be removed.");
    top_->formatter(formatter(kTopUsage));
    top_->add_flag(
        "--once", top_options_.once,
        "print one table, of one interval; so it is where standard output is no terminal");
    top_->add_flag("--json", top_options_.json, "for programs: an object a line, one an interval");
    top_->add_option("--interval", top_options_.interval,
                     "between two looks: 500ms, 2s (default 1s)")
        ->type_name("D");
    dir(top_, top_options_.dir);
    top_->add_option("pid", top_options_.target,
                     "the callers of this process; without, all processes")
        ->type_name("PID");
    diff_->formatter(formatter(kDiffUsage));
    diff_->add_flag("--json", diff_options_.json, "for programs");
    diff_->add_option("before", diff_options_.before, "a live file or a JSON report")
        ->type_name("FILE")
        ->required();
    diff_->add_option("after", diff_options_.after, "another one")->type_name("FILE")->required();
    diff_->footer(
        "Callers are matched by module, function and clock. Where the runs' lengths differ, calls "
        "a second are compared.");
    top_->footer(
        "Keys: q quit, arrows, Enter callers, Esc back, s sort, / filter, p pause, h help.");
  }

  // The usage line of the one that is parsed; "": none is.
  [[nodiscard]] const char* usage() const {
    return list_->parsed()   ? kListUsage
           : gc_->parsed()   ? kGcUsage
           : top_->parsed()  ? kTopUsage
           : diff_->parsed() ? kDiffUsage
                             : "";
  }
  static std::string usages() {
    std::string out;
    for (const char* usage : {kTopUsage, kListUsage, kGcUsage, kDiffUsage})
      out += "\n       " + std::string(usage);
    return out;
  }
  int run() const {
    if (list_->parsed()) return list(list_options_);
    if (gc_->parsed()) return gc(gc_options_);
    return diff_->parsed() ? diff(diff_options_) : top(top_options_);
  }

 private:
  CLI::App* list_;
  CLI::App* gc_;
  CLI::App* top_;
  CLI::App* diff_;
  ListOptions list_options_;
  GcOptions gc_options_;
  TopOptions top_options_;
  DiffOptions diff_options_;
};

}  // namespace clockshim::cli
