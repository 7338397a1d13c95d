// Readings handed from thread to thread, and over it a storm. "signals": every thread has a timer
// of its own, whose handler takes part in the exchange. "forks": children are forked all the while,
// read, and compare with what their parent had read.
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <new>
#include <thread>
#include <vector>

#include "exchange.h"

namespace {

constexpr long kInterval = 50'000;     // ns between two signals to a thread
constexpr long kSignals = 10;          // at least, to all threads together
constexpr int kChildReadings = 2'000;  // of each child
constexpr int kAtOnce = 2;             // children that live side by side

// In memory that parent and children share.
struct Storm {
  ByAtomic carrier;
  Common common;    // the parent's threads
  Common children;  // a child against what its parent had read before the fork, and against itself
  std::atomic<long> ran;     // handlers
  std::atomic<long> forked;  // children
};
Storm* g_storm;
clockid_t g_clock;
thread_local int t_id;
thread_local volatile int64_t
    t_handler_read;  // by a handler that came between two lines of this thread

void on_signal(int) {
  const int saved_errno = errno;
  const Word seen = g_storm->carrier.take();
  const int64_t before = t_handler_read;
  const int64_t now = host_clock(g_clock) - g_storm->common.start;
  g_storm->common.compare(now, std::max(seen.reading, before));
  t_handler_read = now;
  g_storm->carrier.give({now, t_id});
  g_storm->ran.fetch_add(1);
  errno = saved_errno;
}

timer_t start_timer() {
  sigevent event{};
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = SIGRTMIN;
  event._sigev_un._tid = gettid();
  timer_t timer;
  HOST_EXPECT(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
  const itimerspec often{{0, kInterval}, {0, kInterval}};
  HOST_EXPECT(timer_settime(timer, 0, &often, nullptr) == 0);
  return timer;
}

// On until the storm has come, too: so many children were forked, or signals.
void work(int id, long wanted, bool signals, long children) {
  t_id = id;
  timer_t timer{};
  if (signals) timer = start_timer();
  do {
    exchange(g_storm->carrier, g_storm->common, id, g_clock, wanted, [&](long) {
      const int64_t before = t_handler_read;
      g_storm->common.compare(host_clock(g_clock) - g_storm->common.start, before);
    });
  } while (signals ? g_storm->ran < kSignals : g_storm->forked < children);
  if (signals) HOST_EXPECT(timer_delete(timer) == 0);
}

// `known` was read by the parent before the fork. What the parent reads after it is no measure:
// from the fork on the two processes keep their time each by itself, and agree to within the
// tolerance only.
[[noreturn]] void child(int64_t known) {
  for (int i = 0; i < kChildReadings; ++i) {
    const int64_t now = host_clock(g_clock) - g_storm->common.start;
    g_storm->children.compare(now, known);
    known = now;
  }
  g_storm->children.readings.fetch_add(kChildReadings);
  _exit(0);
}

// At least `count` children, and on until the threads have ended. Returns how many came while they
// were still at it.
long fork_all(long count, const std::atomic<int>& at_work) {
  int alive = 0;
  long during = 0;
  const auto reap = [&] {
    int status;
    HOST_EXPECT(wait(&status) > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    --alive;
  };
  for (long i = 0; i < count || at_work > 0; ++i) {
    const int64_t known = g_storm->carrier.take().reading;
    const pid_t pid = fork();
    if (pid == 0) child(known);
    HOST_EXPECT(pid > 0);
    g_storm->forked.fetch_add(1);
    if (at_work > 0) ++during;
    if (++alive == kAtOnce) reap();
  }
  while (alive > 0) reap();
  return during;
}

}  // namespace

// signals THREADS CLOCK HANDOFFS, or forks THREADS CLOCK HANDOFFS CHILDREN
int main(int argc, char** argv) {
  HOST_EXPECT(argc >= 5);
  const bool signals = strcmp(argv[1], "signals") == 0;
  HOST_EXPECT(signals ? argc == 5 : argc == 6);
  const int threads = atoi(argv[2]);
  const long children = signals ? 0 : atol(argv[5]);
  g_clock = atoi(argv[3]);
  HOST_EXPECT(threads > 0 && threads <= kMaxId);
  void* memory =
      mmap(nullptr, sizeof(Storm), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  HOST_EXPECT(memory != MAP_FAILED);
  g_storm = new (memory) Storm;
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  HOST_EXPECT(sigaction(SIGRTMIN, &action, nullptr) == 0);
  host_warm_up(g_clock);
  g_storm->common.start = host_clock(g_clock);
  std::vector<std::thread> all;
  std::atomic<int> at_work{threads};
  for (int id = 1; id <= threads; ++id) {
    all.emplace_back([&, id] {
      work(id, atol(argv[4]), signals, children);
      at_work.fetch_sub(1);
    });
  }
  const long during = signals ? 0 : fork_all(children, at_work);
  for (auto& thread : all) thread.join();
  g_storm->common.say();
  host_say("during", signals ? g_storm->ran.load() : during);
  host_say("children_readings", g_storm->children.readings);
  host_say("children_backward", g_storm->children.backward);
  host_say("children_worst", g_storm->children.worst);
  return 0;
}
