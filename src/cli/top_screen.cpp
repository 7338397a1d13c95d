#include "cli/top_screen.h"

#include <ncurses.h>

#include <algorithm>
#include <cerrno>
#include <clocale>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "base/duration.h"
#include "cli/render_top.h"
#include "report/text.h"

namespace clockshim::cli {
namespace {

constexpr int kEscape = 27;
constexpr int kSoon = 200;  // ms: the second look at callers, which have no rates before it
constexpr const char* kKeys = "q quit  arrows move  Enter callers  Esc back  s sort  / filter  p pause  h help";
constexpr const char* kHelp[] = {"q            quit",
                                 "up, down     move; also PgUp, PgDn, Home, End",
                                 "Enter        the callers of the process that is marked",
                                 "Esc          back to all processes; or end the filter",
                                 "s            sort by the next column",
                                 "/            show only what holds a text; Enter keeps it, Esc ends it",
                                 "p            pause, and go on",
                                 "h            this help; any key ends it",
                                 "",
                                 "calls/s and resyncs/s are since the look before, all else since the process started.",
                                 "worst error: the largest that a resync left possible."};

volatile std::sig_atomic_t g_signal = 0;
extern "C" void note_signal(int number) { g_signal = number; }

std::int64_t now_ms() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return from_timespec(now).raw() / 1'000'000;
}

// The terminal is ours while this lives.
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
    // Behind newterm(), which has handlers of its own.
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
  Top(Watch& watch, const ScreenOptions& options) : watch_(watch), options_(options), pid_(options.pid) {}

  void run() {
    look();
    next_look_ = now_ms() + kSoon;
    while (g_signal == 0 && !quit_) {
      draw();
      const std::int64_t wait = paused_ ? 1000 : std::clamp<std::int64_t>(next_look_ - now_ms(), 0, 1000);
      timeout(static_cast<int>(wait));
      errno = 0;
      const int key = getch();
      // A terminal that has hung up has no more keys, at once.
      if (key == ERR && errno == EIO) return;
      if (key != ERR) press(key);
      if (!paused_ && now_ms() >= next_look_) look();
    }
  }

 private:
  [[nodiscard]] bool callers() const { return pid_ != 0; }
  [[nodiscard]] SortBy sort() const { return sort_columns(callers())[sort_[callers()]]; }
  [[nodiscard]] std::size_t rows() const { return callers() ? callers_.size() : processes_.size(); }

  void look() {
    Look fresh = watch_.look(options_.folders, pid_);
    next_look_ = now_ms() + std::max<std::int64_t>(1, options_.interval.raw() / 1'000'000);
    if (callers() && fresh.processes.empty() && !look_.processes.empty() && look_.processes[0].pid == pid_) {
      // It ended and took its file with it: what was seen last stays.
      fresh.processes = look_.processes;
      fresh.callers = look_.callers;
      fresh.processes[0].state = "gone";
      fresh.processes[0].rate = fresh.processes[0].resync_rate = 0;
      for (CallerRow& row : fresh.callers) row.rate = 0;
    }
    look_ = std::move(fresh);
    arrange();
  }

  // What is shown, of the last look. The mark stays on what it is on.
  void arrange() {
    const bool had = marked_ < rows();
    const long marked_pid = had && !callers() ? processes_[marked_].pid : 0;
    const Caller marked_caller = had && callers() ? callers_[marked_].caller : Caller{};
    processes_ = look_.processes;
    callers_ = look_.callers;
    if (callers()) {
      filter_rows(callers_, filter_);
      sort_rows(callers_, sort());
    } else {
      filter_rows(processes_, filter_);
      sort_rows(processes_, sort());
    }
    for (std::size_t i = 0; had && i < rows(); ++i) {
      if (callers() ? callers_[i].caller == marked_caller : processes_[i].pid == marked_pid) marked_ = i;
    }
    marked_ = rows() == 0 ? 0 : std::min(marked_, rows() - 1);
  }

  void show(long pid) {
    pid_ = pid;
    marked_ = first_ = 0;
    filter_.clear();
    processes_.clear();
    callers_.clear();
    look();
    next_look_ = std::min(next_look_, now_ms() + kSoon);
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
    if (key == kEscape) filter_.clear();
    if (key == kEscape || key == '\r' || key == '\n' || key == KEY_ENTER) {
      typing_ = false;
    } else if (key == KEY_BACKSPACE || key == 127 || key == '\b') {
      if (!filter_.empty()) filter_.pop_back();
    } else if (key >= ' ' && key < 256) {
      filter_ += static_cast<char>(key);
    }
    arrange();
  }

  void command(int key) {
    const std::size_t page = static_cast<std::size_t>(std::max(1, LINES - 5));
    const std::size_t last = rows() == 0 ? 0 : rows() - 1;
    switch (key) {
      case 'q': quit_ = true; break;
      case 'h':
      case '?': help_ = true; break;
      case 'p': paused_ = !paused_; break;
      case '/': typing_ = true; break;
      case 's':
        sort_[callers()] = (sort_[callers()] + 1) % sort_columns(callers()).size();
        arrange();
        break;
      case KEY_UP: marked_ -= marked_ > 0 ? 1 : 0; break;
      case KEY_DOWN: marked_ = std::min(marked_ + 1, last); break;
      case KEY_PPAGE: marked_ -= std::min(marked_, page); break;
      case KEY_NPAGE: marked_ = std::min(marked_ + page, last); break;
      case KEY_HOME: marked_ = 0; break;
      case KEY_END: marked_ = last; break;
      case '\r':
      case '\n':
      case KEY_ENTER:
        if (!callers() && marked_ < rows()) show(processes_[marked_].pid);
        break;
      case kEscape:
        if (!filter_.empty()) {
          filter_.clear();
          arrange();
        } else if (callers()) {
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
    // One column less: the last cell of the last line would scroll.
    const auto width = static_cast<std::size_t>(std::max(1, COLS - 1));
    const auto fitted = [&](const std::string& text) { return shortened(text, width); };
    std::string title = "clockshim top, every " + format_duration(options_.interval) + ", by " + std::string(sort_name(sort()));
    if (!filter_.empty()) title += ", only \"" + one_line(filter_) + "\"";
    if (paused_) title += ", PAUSED";
    put(0, fitted(title), A_BOLD);
    int line = 1;
    if (help_) {
      for (const char* text : kHelp) put(++line, fitted(text));
    } else {
      draw_table(line, width);
    }
    if (LINES > 2) put(LINES - 1, typing_ ? fitted("filter: " + one_line(filter_) + "_") : fitted(kKeys), A_DIM);
    refresh();
  }

  void draw_table(int line, std::size_t width) {
    if (callers()) {
      put(line++, look_.processes.empty() ? "no live file of process " + std::to_string(pid_) : process_line(look_.processes[0], width));
    }
    put(line++, header_line(callers(), width), A_REVERSE);
    const auto room = static_cast<std::size_t>(std::max(1, LINES - 1 - line));
    first_ = std::min(first_, marked_);
    if (marked_ >= first_ + room) first_ = marked_ - room + 1;
    for (std::size_t i = first_; i < rows() && i < first_ + room; ++i) {
      put(line++, callers() ? row_line(callers_[i], width) : row_line(processes_[i], width), i == marked_ ? A_STANDOUT : A_NORMAL);
    }
    if (rows() == 0 && !callers()) {
      put(line, shortened(filter_.empty() ? "nobody runs under clockshim here: no live files in " + one_line(in_words(options_.folders))
                                          : "nothing that holds this text",
                          width));
    }
  }

  Watch& watch_;
  ScreenOptions options_;
  long pid_;
  Look look_;
  std::vector<ProcessRow> processes_;
  std::vector<CallerRow> callers_;
  std::size_t sort_[2] = {};
  std::size_t marked_ = 0;
  std::size_t first_ = 0;
  std::string filter_;
  std::int64_t next_look_ = 0;  // ms
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
      return "TERM \"" + std::string(name == nullptr ? "" : name) + "\": must be a terminal that is known here; --once needs none";
    }
    Top(watch, options).run();
  }
  if (g_signal != 0) std::raise(g_signal);
  return "";
}

}  // namespace clockshim::cli
