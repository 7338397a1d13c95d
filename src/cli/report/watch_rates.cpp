#include "cli/report/watch_rates.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <ctime>

#include "cli/console/progress.h"

namespace clockshim::cli {
namespace {

volatile std::sig_atomic_t g_interrupted = 0;
extern "C" void note_interrupt(int /*signal*/) { g_interrupted = 1; }

// While it exists, the signals that end a command are only received in wait(), and just noted.
class Interrupts {
 public:
  Interrupts() {
    g_interrupted = 0;
    sigset_t blocked;
    sigemptyset(&blocked);
    for (std::size_t i = 0; i < std::size(kSignals); ++i) {
      sigaddset(&blocked, kSignals[i]);
      struct sigaction noting {};
      noting.sa_handler = note_interrupt;
      sigaction(kSignals[i], nullptr, &before_[i]);
      if (before_[i].sa_handler != SIG_IGN) sigaction(kSignals[i], &noting, nullptr);
    }
    sigprocmask(SIG_BLOCK, &blocked, &mask_);
  }
  // Receive a signal that came during the last look first, so that it does not end the command now
  // that there is something to report.
  ~Interrupts() {
    sigprocmask(SIG_SETMASK, &mask_, nullptr);
    for (std::size_t i = 0; i < std::size(kSignals); ++i)
      sigaction(kSignals[i], &before_[i], nullptr);
  }
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  // Waits for `left`, or until one of these is ready. False: interrupted.
  [[nodiscard]] bool wait(std::vector<pollfd>& watched, Nanos left) const {
    const timespec timeout{left.raw() / kNanosPerSecond, left.raw() % kNanosPerSecond};
    ppoll(watched.data(), watched.size(), &timeout, &mask_);
    return g_interrupted == 0;
  }

 private:
  static constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP};
  struct sigaction before_[std::size(kSignals)]{};
  sigset_t mask_{};
};

Nanos kernel_time(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return from_timespec(now);
}

// Looks at all of them at the same moment, so that their rates can be added.
void look_at(std::vector<RateWatch>& processes, Nanos now) {
  const Nanos realtime = kernel_time(CLOCK_REALTIME);
  for (RateWatch& process : processes) process.look(now, realtime);
}

bool all_over(const std::vector<RateWatch>& processes) {
  return std::all_of(processes.begin(), processes.end(),
                     [](const RateWatch& process) { return process.over(); });
}

}  // namespace

void watch_rates(std::vector<RateWatch>& processes, Nanos length, Nanos interval,
                 const std::string& progress) {
  const Interrupts interrupts;
  std::vector<pollfd> running;
  for (const RateWatch& process : processes) {
    if (process.wakes_when_over() >= 0) running.push_back({process.wakes_when_over(), POLLIN, 0});
  }
  const bool wakes =
      running.size() ==
      processes.size();  // otherwise some are only seen to have ended at the next look
  const Nanos start = kernel_time(CLOCK_MONOTONIC);
  const Nanos end = start + length;
  look_at(processes, start);
  Progress line;
  line.show(progress);
  Nanos next = start;
  bool goes_on = true;
  while (goes_on && !all_over(processes)) {
    Nanos now = kernel_time(CLOCK_MONOTONIC);
    while (next <= now)
      next = next + interval;  // missed intervals (the machine slept) become one long interval
    next = std::min(next, end);
    while (goes_on && now < next) {
      goes_on = interrupts.wait(running, next - now);
      std::erase_if(running, [](const pollfd& process) { return process.revents != 0; });
      now = kernel_time(CLOCK_MONOTONIC);
      if (wakes && running.empty()) break;
    }
    look_at(processes, now);
    goes_on = goes_on && now < end;
  }
}

}  // namespace clockshim::cli
