// Signal handlers that ask for the time while the main loop does: SIGALRM from a timer, SIGUSR1
// from another thread. Both sides meet new call sites as they go. Nobody may see the clock run
// backwards, and every call is counted by the host.
#include <pthread.h>
#include <signal.h>

#include <atomic>

#include "sites.h"

namespace {

constexpr long kMainCalls = 1'000'000;
constexpr long kHandlerCalls = 3'000;  // at least so many
constexpr int kSites = 96;             // of each side: fewer than a thread has room for

volatile int64_t g_seen_by_main;     // the newest reading that the main loop has finished
volatile int64_t g_seen_by_handler;  // and that a handler has
std::atomic<long> g_handler_calls;
std::atomic<long> g_backward;
std::atomic<bool> g_stop;

void on_signal(int) {
  const int saved_errno = errno;
  const int64_t before = g_seen_by_main;
  const int64_t before_here = g_seen_by_handler;
  const long turn = g_handler_calls.fetch_add(1);
  const int64_t now = kSitesOf<2 * kSites>[static_cast<std::size_t>(turn / 8 % kSites)]();
  if (now < before || now < before_here) g_backward.fetch_add(1);
  timeval day;
  gettimeofday(&day, nullptr);
  g_handler_calls.fetch_add(1);
  g_seen_by_handler = now;
  errno = saved_errno;
}

void* sender(void* target) {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  while (!g_stop.load()) pthread_kill(*static_cast<pthread_t*>(target), SIGUSR1);
  return nullptr;
}

}  // namespace

int main() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  sigfillset(&action.sa_mask);  // a handler is not interrupted by the other: then g_seen_by_handler
                                // stays simple
  HOST_EXPECT(sigaction(SIGALRM, &action, nullptr) == 0 &&
              sigaction(SIGUSR1, &action, nullptr) == 0);
  const itimerval often{{0, 50}, {0, 50}};
  HOST_EXPECT(setitimer(ITIMER_REAL, &often, nullptr) == 0);
  pthread_t self = pthread_self();
  pthread_t other;
  HOST_EXPECT(pthread_create(&other, nullptr, sender, &self) == 0);

  long calls = 0;
  int64_t last = 0;
  while (calls < kMainCalls || g_handler_calls.load() < kHandlerCalls) {
    const int64_t before = g_seen_by_handler;
    const int64_t now =
        kSitesOf<2 * kSites>[static_cast<std::size_t>(kSites + calls / 512 % kSites)]();
    ++calls;
    if (now < last || now < before) g_backward.fetch_add(1);
    g_seen_by_main = last = now;
  }
  const itimerval never{};
  setitimer(ITIMER_REAL, &never, nullptr);
  g_stop = true;
  pthread_join(other, nullptr);
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, nullptr);
  host_say("calls", calls + g_handler_calls.load());
  host_say("backward", g_backward.load());
  return 0;
}
