// The screen of `clockshim top`, under tmux: what a person sees, and that the terminal is theirs
// again afterwards.
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "live_host.h"

namespace clockshim::test {
namespace {

constexpr auto kPatience = std::chrono::seconds(30);
constexpr auto kBetweenLooks = std::chrono::milliseconds(30);
// So many equal looks in a row are longer than the 50 ms after which top draws what has changed.
constexpr int kLooksThatStand = 10;

std::string output_of(const std::string& command) {
  std::string text;
  std::FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return text;
  std::array<char, 4096> piece{};
  for (std::size_t n; (n = fread(piece.data(), 1, piece.size(), pipe)) > 0;)
    text.append(piece.data(), n);
  pclose(pipe);
  return text;
}

// A terminal of 110 by 20, with a server of its own, in which a command runs; then it tells its
// status and the terminal's modes.
class Tmux {
 public:
  Tmux(const TempDir& dir, const std::string& command)
      : tmux_("tmux -f /dev/null -S " + dir.path("socket") + " ") {
    const std::string script =
        dir.file("script",
                 command +
                     "\necho \"status $?\"; stty -a | grep -oE ' -?(echo|icanon) ' | tr '\\n' ' '; "
                     "echo over; sleep 1000\n",
                 kExecutable);
    output_of(tmux_ + "new-session -d -x 110 -y 20 \"env -u LD_PRELOAD LC_ALL=C.UTF-8 sh " +
              script + "\" 2>&1");
  }
  ~Tmux() { output_of(tmux_ + "kill-server 2>&1"); }
  Tmux(const Tmux&) = delete;
  Tmux& operator=(const Tmux&) = delete;

  void press(const std::string& keys) const { output_of(tmux_ + "send-keys " + keys); }
  void resize(int x, int y) const {
    output_of(tmux_ + "resize-window -x " + std::to_string(x) + " -y " + std::to_string(y));
  }
  // The process that runs below the shell.
  [[nodiscard]] pid_t foreground() const {
    const auto shell = static_cast<pid_t>(
        std::atol(output_of(tmux_ + "display-message -p '#{pane_pid}'").c_str()));
    pid_t below = 0;
    std::ifstream("/proc/" + std::to_string(shell) + "/task/" + std::to_string(shell) +
                  "/children") >>
        below;
    return below;
  }
  // Looks until `seen` says so; at the deadline the test fails, with what stood there. A single
  // look proves nothing, because a screen may be seen while it is being drawn: nobody can have one.
  template <class F>
  bool until(F seen, const std::string& what, const std::string& options = "") const {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    std::string last;
    do {
      last = output_of(tmux_ + "capture-pane -p " + options);
      if (seen(last)) return true;
      std::this_thread::sleep_for(kBetweenLooks);
    } while (std::chrono::steady_clock::now() < deadline);
    ADD_FAILURE() << "never seen: " << what << "; but:\n" << last;
    return false;
  }
  bool until(const std::string& text) const {
    return until([&](const std::string& s) { return s.find(text) != std::string::npos; }, text);
  }
  bool until_gone(const std::string& text) const {
    return until([&](const std::string& s) { return s.find(text) == std::string::npos; },
                 "no " + text);
  }
  // The line with `part`, once it stands still.
  [[nodiscard]] std::string standing_line(const std::string& part) const {
    std::string line;
    int looks = 0;
    until(
        [&](const std::string& s) {
          const std::string now = line_with(s, part);
          looks = now == line ? looks + 1 : 0;
          line = now;
          return !line.empty() && looks >= kLooksThatStand;
        },
        "a line with " + part + " that stands still");
    return line;
  }

 private:
  std::string tmux_;
};

class TopScreen : public ::testing::Test {
 protected:
  void SetUp() override {
    if (output_of("tmux -V 2>/dev/null").empty())
      GTEST_SKIP() << "tmux is not installed: scripts/setup test";
  }
  [[nodiscard]] std::string command(const std::string& rest = "") const {
    return command_path() + " top --interval 50ms --dir " + files_.path().string() + " " + rest;
  }
  TempDir files_;
  TempDir own_;
};

TEST_F(TopScreen, ShowsProcessesThenCallersAndGivesTheTerminalBack) {
  LiveHost host(files_.path().string(), "first");
  LiveHost other(files_.path().string(), "second");
  const Tmux tmux(own_, command());
  ASSERT_TRUE(tmux.until("first"));
  EXPECT_TRUE(tmux.until("second"));
  EXPECT_TRUE(tmux.until("worst error"));
  tmux.press("s s");  // by name
  ASSERT_TRUE(tmux.until("by name"));
  tmux.press("Home Down Enter");
  ASSERT_TRUE(tmux.until("busy_caller"));
  EXPECT_TRUE(tmux.until("second[" + other.number() + "] running"));
  EXPECT_TRUE(tmux.until("90.9%"));
  tmux.press("Escape");
  ASSERT_TRUE(tmux.until_gone("busy_caller"));
  EXPECT_TRUE(tmux.until("first"));
  tmux.press("q");
  ASSERT_TRUE(tmux.until("status 0"));
  EXPECT_TRUE(tmux.until(" icanon   echo  over")) << "lines and echo as before";
}

TEST_F(TopScreen, RatesMoveAndStandStillWhilePaused) {
  LiveHost host(files_.path().string(), "first");
  const Tmux tmux(own_, command(host.number()));
  ASSERT_TRUE(tmux.until("busy_caller"));
  std::string before;
  ASSERT_TRUE(tmux.until(
      [&](const std::string& s) { return !(before = line_with(s, "busy_caller")).empty(); },
      "a count"));
  EXPECT_TRUE(
      tmux.until([&](const std::string& s) { return line_with(s, "busy_caller") != before; },
                 "another count"));
  tmux.press("p");
  ASSERT_TRUE(tmux.until("PAUSED"));
  const std::string paused = tmux.standing_line("busy_caller");
  tmux.press("h");
  ASSERT_TRUE(tmux.until("this help; any key ends it"));
  tmux.press("x");
  ASSERT_TRUE(tmux.until_gone("this help; any key ends it"));
  EXPECT_EQ(tmux.standing_line("busy_caller"), paused);
  tmux.press("p");
  EXPECT_TRUE(
      tmux.until([&](const std::string& s) { return line_with(s, "busy_caller") != paused; },
                 "another count"));
}

TEST_F(TopScreen, FiltersCallers) {
  LiveHost host(files_.path().string(), "first");
  const Tmux tmux(own_, command(host.number()));
  ASSERT_TRUE(tmux.until("busy_caller"));
  tmux.press("/ RARE");
  ASSERT_TRUE(tmux.until_gone("busy_caller"));
  EXPECT_TRUE(tmux.until("filter: RARE_"));
  EXPECT_TRUE(tmux.until("rare_caller"));
  tmux.press("Enter");
  EXPECT_TRUE(tmux.until("only \"RARE\""));
  tmux.press("Escape");
  EXPECT_TRUE(tmux.until("busy_caller"));
}

TEST_F(TopScreen, FitsIntoASmallTerminalAndALargeOne) {
  LiveHost host(files_.path().string(), "first");
  const Tmux tmux(own_, command(host.number()));
  ASSERT_TRUE(tmux.until("busy_caller"));
  tmux.resize(20, 4);
  EXPECT_TRUE(tmux.until(
      [](const std::string& s) {
        return s.find("module") == std::string::npos && s.find("first[") != std::string::npos;
      },
      "20 columns"));
  tmux.resize(200, 50);
  EXPECT_TRUE(tmux.until("module"));
  EXPECT_TRUE(tmux.until("rare_caller"));
}

TEST_F(TopScreen, HasWhatMattersIn80By24) {
  LiveHost host(files_.path().string(), "first");
  const Tmux tmux(own_, command());
  tmux.resize(80, 24);
  EXPECT_TRUE(tmux.until(
      [](const std::string& seen) {
        return seen.find("worst") == std::string::npos &&
               seen.find("\n1 process  ") != std::string::npos &&
               line_with(seen, "pid").find("saved  mode") != std::string::npos &&
               line_with(seen, "first").find("%  coherent") != std::string::npos;
      },
      "80 columns: no worst error, but rates and modes"));
}

TEST_F(TopScreen, HasColoursUnlessTheyAreNotWanted) {
  LiveHost host(files_.path().string(), "first");
  const auto has_green = [](const std::string& s) { return s.find("32m") != std::string::npos; };
  {
    const Tmux tmux(own_, command());
    EXPECT_TRUE(tmux.until(has_green, "green", "-e"));
  }
  const TempDir other;
  const Tmux tmux(other, "export NO_COLOR=1; " + command());
  EXPECT_TRUE(tmux.until(
      [&](const std::string& s) {
        EXPECT_FALSE(has_green(s)) << s;
        return s.find("coherent") != std::string::npos && s.find("q quit") != std::string::npos;
      },
      "a whole screen", "-e"));
}

TEST_F(TopScreen, GivesTheTerminalBackWhenASignalEndsIt) {
  LiveHost host(files_.path().string(), "first");
  const Tmux tmux(own_, command());
  ASSERT_TRUE(tmux.until("first"));
  const pid_t top = tmux.foreground();
  ASSERT_GT(top, 1);
  kill(top, SIGTERM);
  ASSERT_TRUE(tmux.until("status 143"));
  EXPECT_TRUE(tmux.until(" icanon   echo  over"));
}

TEST_F(TopScreen, KeepsWhatItSawOfAProcessThatEnds) {
  auto host = std::make_unique<LiveHost>(files_.path().string(), "first");
  const Tmux tmux(own_, command(host->number()));
  ASSERT_TRUE(tmux.until("busy_caller"));
  host.reset();
  ASSERT_TRUE(tmux.until("] lost"));
  std::filesystem::remove(
      files_.path(std::filesystem::directory_iterator(files_.path().string())->path().filename()));
  ASSERT_TRUE(tmux.until("] gone"));
  EXPECT_TRUE(tmux.until("busy_caller"));
}

TEST(TopTerminal, ThatNobodyKnowsIsRefusedInALine) {
  const TempDir dir;
  Running top({command_path(), "top", "--dir", dir.path().string()}, {"TERM=no-such-terminal"},
              On::terminal);
  const Ending ending = top.finish();
  EXPECT_EQ(ending.exit_code, 2);
  EXPECT_NE(
      ending.out.find(
          "TERM \"no-such-terminal\": must be a terminal that is known here; --once needs none"),
      std::string::npos);
}

}  // namespace
}  // namespace clockshim::test
