#include "cli/top/top_screen.h"

#include <ncurses.h>

#include <algorithm>
#include <cerrno>
#include <clocale>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "base/duration.h"
#include "cli/top/render_top.h"
#include "cli/top/top_table.h"
#include "report/text.h"

namespace clockshim::cli {
namespace {

constexpr int kEscape = 27;
constexpr int kSoon =
    200;  // ms until the second snapshot of callers, which have no rates before it
constexpr const char* kKeys =
    "q quit  arrows move  Enter callers  Esc back  s sort  / filter  p pause  h help";
constexpr const char* kHelp[] = {
    "q            quit",
    "up, down     move; also PgUp, PgDn, Home, End",
    "Enter        the callers of the process that is marked",
    "Esc          back to all processes; or end the filter",
    "s            sort by the next column",
    "/            show only what holds a text; Enter keeps it, Esc ends it",
    "p            pause, and go on",
    "h            this help; any key ends it",
    "",
    "calls/s, saved (of a core) and resyncs/s are since the look before, all else since the start.",
    "worst error: the largest that a resync left possible."};

// Colours, as numbers of ncurses' pairs. Pairs that were not set are the terminal's own colours.
using Colour = short;
constexpr Colour kPlain = 0;
constexpr Colour kGood = 1;
constexpr Colour kFair = 2;
constexpr Colour kBad = 3;

Colour colour_of(const std::string& mode) {
  if (mode.empty()) return kPlain;
  if (mode == kUnserved) return kBad;
  return mode == "percpu" ? kFair : kGood;  // percpu is as right, and costs more
}

volatile std::sig_atomic_t g_signal = 0;
extern "C" void note_signal(int number) { g_signal = number; }

std::int64_t now_ms() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return from_timespec(now).raw() / 1'000'000;
}

// Controls the terminal while it exists.
class Terminal {
 public:
  Terminal() : screen_(newterm(nullptr, stdout, stdin)) {
    if (screen_ == nullptr) return;
    set_escdelay(50);
    cbreak();
    noecho();
    nonl();
    keypad(stdscr, TRUE);
    curs_set(0);
    const char* none = std::getenv("NO_COLOR");  // https://no-color.org
    if ((none == nullptr || *none == '\0') && has_colors() && start_color() == OK) {
      use_default_colors();
      init_pair(kGood, COLOR_GREEN, -1);
      init_pair(kFair, COLOR_YELLOW, -1);
      init_pair(kBad, COLOR_RED, -1);
    }
    // After newterm(), which installs handlers of its own.
    struct sigaction action {};
    action.sa_handler = note_signal;
    for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) sigaction(number, &action, nullptr);
  }
  ~Terminal() {
    if (screen_ == nullptr) return;
    endwin();
    delscreen(screen_);
    for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) std::signal(number, SIG_DFL);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;
  [[nodiscard]] bool ready() const { return screen_ != nullptr; }

 private:
  SCREEN* screen_;
};

class Top {
 public:
  Top(Watch& watch, const ScreenOptions& options)
      : folders_(options.folders),
        table_(watch, folders_.get(), options.pid),
        interval_(options.interval) {}

  void run() {
    take_snapshot();
    next_snapshot_ = now_ms() + kSoon;
    while (g_signal == 0 && !quit_) {
      draw();
      const std::int64_t wait =
          paused_ ? 1000 : std::clamp<std::int64_t>(next_snapshot_ - now_ms(), 0, 1000);
      timeout(static_cast<int>(wait));
      errno = 0;
      const int key = getch();
      // A terminal that has hung up returns EIO for keys, without waiting.
      if (key == ERR && errno == EIO) return;
      if (key != ERR) press(key);
      if (!paused_ && now_ms() >= next_snapshot_) take_snapshot();
    }
  }

 private:
  [[nodiscard]] std::int64_t interval_ms() const {
    return std::max<std::int64_t>(1, interval_.raw() / 1'000'000);
  }

  void take_snapshot() {
    table_.look_in(folders_.get());
    table_.refresh();
    next_snapshot_ = now_ms() + interval_ms();
  }

  void show(long pid) {
    table_.show(pid);
    first_ = 0;
    next_snapshot_ = now_ms() + std::min<std::int64_t>(kSoon, interval_ms());
  }

  void press(int key) {
    if (help_) {
      help_ = false;
    } else if (typing_) {
      type(key);
    } else {
      command(key);
    }
  }

  void type(int key) {
    std::string text = table_.filter();
    if (key == kEscape) text.clear();
    if (key == kEscape || key == '\r' || key == '\n' || key == KEY_ENTER) {
      typing_ = false;
    } else if (key == KEY_BACKSPACE || key == 127 || key == '\b') {
      if (!text.empty()) text.pop_back();
    } else if (key >= ' ' && key < 256) {
      text += static_cast<char>(key);
    }
    table_.filter(text);
  }

  void command(int key) {
    const std::size_t page = static_cast<std::size_t>(std::max(1, LINES - 5));
    const std::size_t marked = table_.marked();
    switch (key) {
      case 'q': quit_ = true; break;
      case 'h':
      case '?': help_ = true; break;
      case 'p': paused_ = !paused_; break;
      case '/': typing_ = true; break;
      case 's': table_.sort_by_next(); break;
      case KEY_UP: table_.mark(marked - (marked > 0 ? 1 : 0)); break;
      case KEY_DOWN: table_.mark(marked + 1); break;
      case KEY_PPAGE: table_.mark(marked - std::min(marked, page)); break;
      case KEY_NPAGE: table_.mark(marked + page); break;
      case KEY_HOME: table_.mark(0); break;
      case KEY_END: table_.mark(table_.rows()); break;
      case '\r':
      case '\n':
      case KEY_ENTER:
        if (const long pid = table_.marked_process(); pid != 0) show(pid);
        break;
      case kEscape:
        if (!table_.filter().empty()) {
          table_.filter("");
        } else if (table_.callers()) {
          show(0);
        }
        break;
      default: break;
    }
  }

  static void put(int line, const std::string& text, attr_t attributes = A_NORMAL) {
    if (line >= LINES) return;
    attrset(attributes);
    mvaddstr(line, 0, text.c_str());
    if (attributes != A_NORMAL) {
      for (int x = getcurx(stdscr), y = getcury(stdscr); y == line && x < COLS - 1; ++x) addch(' ');
    }
    attrset(A_NORMAL);
  }

  void draw() {
    erase();
    // Use one column less, because the last cell of the last line would scroll.
    const auto width = static_cast<std::size_t>(std::max(1, COLS - 1));
    const auto fitted = [&](const std::string& text) { return shortened(text, width); };
    std::string title = "clockshim top, every " + format_duration(interval_) + ", by " +
                        std::string(sort_name(table_.sort()));
    if (!table_.filter().empty()) title += ", only \"" + one_line(table_.filter()) + "\"";
    if (paused_) title += ", PAUSED";
    put(0, fitted(title), A_BOLD);
    int line = 1;
    if (help_) {
      for (const char* text : kHelp) put(++line, fitted(text));
    } else {
      draw_table(line, width);
    }
    if (LINES > 2)
      put(LINES - 1, typing_ ? fitted("filter: " + one_line(table_.filter()) + "_") : fitted(kKeys),
          A_DIM);
    refresh();
  }

  void draw_table(int line, std::size_t width) {
    if (table_.callers()) {
      const ProcessRow* process = table_.process();
      put(line++, process == nullptr ? "no live file of process " + std::to_string(table_.pid())
                                     : process_line(*process, width));
    } else {
      put(line++, table_.totals(width));
    }
    put(line++, header_line(table_.callers(), width), A_REVERSE);
    const auto room = static_cast<std::size_t>(std::max(1, LINES - 1 - line));
    first_ = std::min(first_, table_.marked());
    if (table_.marked() >= first_ + room) first_ = table_.marked() - room + 1;
    for (std::size_t i = first_; i < table_.rows() && i < first_ + room; ++i) {
      const attr_t attributes = i == table_.marked() ? A_STANDOUT : A_NORMAL;
      put(line, table_.line(i, width), attributes);
      if (const Colour colour = colour_of(table_.mode(i)); colour != kPlain && line < LINES)
        mvchgat(line, static_cast<int>(kModeCell.at), static_cast<int>(kModeCell.width), attributes,
                colour, nullptr);
      ++line;
    }
    if (table_.rows() == 0 && !table_.callers()) {
      put(line, shortened(table_.filter().empty()
                              ? "nobody runs under clockshim here: no live files in " +
                                    one_line(in_words(folders_.get()))
                              : "nothing that holds this text",
                          width));
    }
  }

  CurrentFolders folders_;
  TopTable table_;
  Nanos interval_;
  std::size_t first_ = 0;           // row on the screen
  std::int64_t next_snapshot_ = 0;  // ms
  bool typing_ = false;
  bool paused_ = false;
  bool help_ = false;
  bool quit_ = false;
};

}  // namespace

std::string show_screen(Watch& watch, const ScreenOptions& options) {
  setlocale(LC_CTYPE, "");
  {
    const Terminal terminal;
    if (!terminal.ready()) {
      const char* name = std::getenv("TERM");
      return "TERM \"" + std::string(name == nullptr ? "" : name) +
             "\": must be a terminal that is known here; --once needs none";
    }
    Top(watch, options).run();
  }
  if (g_signal != 0) std::raise(g_signal);
  return "";
}

}  // namespace clockshim::cli
