// The one table of settings. The parser (settings.cpp) goes through it, the options of `clockshim
// run` and their --help are made from it, and scripts/check.d/settings.py writes the tables of
// README.md and docs/configuration.md and the heads of the man page's entries from it. Texts for
// readers are Markdown of one line; they are not in the library.
#pragma once

namespace clockshim {

enum class SettingId {
  tolerance,
  order,
  counters,
  clocks,
  profile,
  depth,
  report,
  follow,
  only,
  skip,
  dir,
  log
};

// What a setting is about decides what a value costs that can't be used: the process its served
// time, or nothing, because the default stands in.
enum class Concern { serving, observing };

struct Setting {
  SettingId id;
  Concern concern;
  const char* variable;     // "CLOCKSHIM_DEPTH"; the option of `clockshim run` is --depth
  const char* placeholder;  // of the value, in --help
  const char* words = "";   // its values, with blanks between them, in the order of their enum
  const char* right = "";   // where there are no words: what follows "must be" in an error
  const char* values = "";  // for readers: where there are no words, what is taken
  const char* usual;        // for readers: the default; "unset": there is none
  const char* meaning;      // for readers
};

inline constexpr Setting kSettings[] = {
    {.id = SettingId::tolerance,
     .concern = Concern::serving,
     .variable = "CLOCKSHIM_TOLERANCE",
     .placeholder = "D",
     .right = "a duration from 0 to 1s, such as 500ns, 10us or 1ms (0: serve nothing, only count)",
     .values = "a duration from `0` to `1s`",
     .usual = "10us",
     .meaning = "the most that a served time may differ from the real clock; `0`: serve nothing, "
                "only count"},
    {.id = SettingId::order,
     .concern = Concern::serving,
     .variable = "CLOCKSHIM_ORDER",
     .placeholder = "O",
     .words = "strict relaxed",
     .usual = "strict",
     .meaning = "`strict`: times are in order between threads, too; `relaxed`: only within each "
                "thread, at about half the cost"},
    {.id = SettingId::counters,
     .concern = Concern::serving,
     .variable = "CLOCKSHIM_COUNTERS",
     .placeholder = "C",
     .words = "auto agree disagree measured aligned measured:TICKS /PATH",
     .usual = "auto",
     .meaning = "whether the CPUs' counters agree; with `auto`, where the clocksource is not tsc, "
                "the counters file says so, or `clockshim run` compares them at start"},
    {.id = SettingId::clocks,
     .concern = Concern::serving,
     .variable = "CLOCKSHIM_CLOCKS",
     .placeholder = "L",
     .right = "a comma list of realtime, monotonic, monotonic_raw, boottime, tai",
     .values = "a comma list of `realtime`, `monotonic`, `monotonic_raw`, `boottime`, `tai`, or "
               "`all`",
     .usual = "all",
     .meaning = "the clocks to serve; the others are passed through and counted"},
    {.id = SettingId::profile,
     .concern = Concern::observing,
     .variable = "CLOCKSHIM_PROFILE",
     .placeholder = "P",
     .right = "off, sites, stacks or stacks:N (one call in N, N from 1 to 4294967295)",
     .values = "`sites`, `stacks`, `stacks:N`, `off`",
     .usual = "sites",
     .meaning = "`sites`: count calls by caller; `stacks`: also keep the full stack of one call "
                "in N (1000); `off`: count nothing"},
    {.id = SettingId::depth,
     .concern = Concern::observing,
     .variable = "CLOCKSHIM_DEPTH",
     .placeholder = "N",
     .right = "a number from 0 to 6 (frames behind each caller that are counted apart)",
     .values = "a number from `0` to `6`",
     .usual = "0",
     .meaning = "how many frames behind each caller are counted separately"},
    {.id = SettingId::report,
     .concern = Concern::observing,
     .variable = "CLOCKSHIM_REPORT",
     .placeholder = "R",
     .values = "`stderr`, `none`, or a path",
     .usual = "stderr",
     .meaning = "where the report goes at exit, as JSON if the path ends in `.json`; in the path, "
                "`%p` is the process id, `%e` the program, `%h` the host, `%t` the time of start"},
    {.id = SettingId::follow,
     .concern = Concern::serving,
     .variable = "CLOCKSHIM_FOLLOW",
     .placeholder = "0|1",
     .words = "0 1",
     .usual = "1",
     .meaning = "`1`: the command's children are served, too; `0`: only the command that "
                "`clockshim run` starts"},
    {.id = SettingId::only,
     .concern = Concern::serving,
     .variable = "CLOCKSHIM_ONLY",
     .placeholder = "G",
     .values = "a comma list of globs",
     .usual = "unset",
     .meaning = "serve only programs whose name matches one of the globs"},
    {.id = SettingId::skip,
     .concern = Concern::serving,
     .variable = "CLOCKSHIM_SKIP",
     .placeholder = "G",
     .values = "a comma list of globs",
     .usual = "unset",
     .meaning = "leave programs alone whose name matches one of the globs; time daemons always "
                "are, unless `CLOCKSHIM_ONLY` names them"},
    {.id = SettingId::dir,
     .concern = Concern::observing,
     .variable = "CLOCKSHIM_DIR",
     .placeholder = "D",
     .right = "an absolute path of less than 200 characters",
     .values = "an absolute path",
     .usual = "/dev/shm/clockshim-UID",
     .meaning = "the folder of live files, which `clockshim report`, `top`, `diff`, `list` and "
                "`gc` read"},
    {.id = SettingId::log,
     .concern = Concern::observing,
     .variable = "CLOCKSHIM_LOG",
     .placeholder = "L",
     .words = "off error warn info debug",
     .usual = "warn",
     .meaning = "how much is written to standard error, at start and at exit"},
};

constexpr const Setting& setting_of(SettingId id) { return kSettings[static_cast<int>(id)]; }

}  // namespace clockshim
