// `while (now() < deadline) wait(deadline)` for each way to wait: how often the wait ended before
// the clock that is served had reached the deadline, and so the loop turned again.
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <iterator>

#include "host.h"

namespace {

constexpr int64_t kMillisecond = 1'000'000;

// Ordinary waits, and in between such as are over when the kernel looks, or nearly: it returns from
// those at once, where it wakes a sleeper many microseconds late, and so hides as much.
int64_t length_of(long wait) { return wait % 3 == 0 ? 200'000 : wait % 64 * 100; }

clockid_t g_clock;
pthread_cond_t g_never;
pthread_mutex_t g_mutex = PTHREAD_MUTEX_INITIALIZER;
pthread_mutex_t g_held;
sem_t g_empty;
int g_timer;
int g_epoll;

timespec timespec_of(int64_t ns) { return {ns / 1000000000, ns % 1000000000}; }

// Until a time of the clock. What they have to wait for never comes.
int cond_timedwait(const timespec& until) {
  return pthread_cond_timedwait(&g_never, &g_mutex, &until);
}
int semaphore_timedwait(const timespec& until) {
  return sem_timedwait(&g_empty, &until) == 0 ? 0 : errno;
}
int mutex_timedlock(const timespec& until) { return pthread_mutex_timedlock(&g_held, &until); }
#ifndef HOST_MUSL  // which has none of these
int cond_clockwait(const timespec& until) {
  return pthread_cond_clockwait(&g_never, &g_mutex, g_clock, &until);
}
int semaphore_clockwait(const timespec& until) {
  return sem_clockwait(&g_empty, g_clock, &until) == 0 ? 0 : errno;
}
int mutex_clocklock(const timespec& until) {
  return pthread_mutex_clocklock(&g_held, g_clock, &until);
}
#endif
int sleep_until(const timespec& until) {
  return clock_nanosleep(g_clock, TIMER_ABSTIME, &until, nullptr) == 0 ? ETIMEDOUT : EINTR;
}

void arm(const timespec& until) {
  const itimerspec once{{0, 0}, until};
  HOST_EXPECT(timerfd_settime(g_timer, TFD_TIMER_ABSTIME, &once, nullptr) == 0);
}

int timer_read(const timespec& until) {
  uint64_t expired;
  arm(until);
  return read(g_timer, &expired, sizeof expired) == sizeof expired ? ETIMEDOUT : errno;
}

int timer_epoll(const timespec& until) {
  epoll_event event;
  arm(until);
  return epoll_wait(g_epoll, &event, 1, -1) == 1 ? ETIMEDOUT : errno;
}

// For a while, which the kernel measures by CLOCK_MONOTONIC. Those that take milliseconds are given
// whole ones.
int poll_for(const timespec& left) {
  return poll(nullptr, 0, static_cast<int>(left.tv_nsec / kMillisecond)) == 0 ? ETIMEDOUT : errno;
}
int ppoll_for(const timespec& left) {
  return ppoll(nullptr, 0, &left, nullptr) == 0 ? ETIMEDOUT : errno;
}
int nanosleep_for(const timespec& left) {
  return nanosleep(&left, nullptr) == 0 ? ETIMEDOUT : errno;
}

int epoll_for(const timespec& left) {
  epoll_event event;
  return epoll_wait(g_epoll, &event, 1, static_cast<int>(left.tv_nsec / kMillisecond)) == 0
             ? ETIMEDOUT
             : errno;
}

int epoll_pwait2_for(const timespec& left) {
  epoll_event event;
  return epoll_pwait2(g_epoll, &event, 1, &left, nullptr) == 0 ? ETIMEDOUT : errno;
}

struct Kind {
  const char* name;
  int (*wait)(const timespec&);
  bool relative = false;
  int64_t unit = 1;
};

constexpr Kind kKinds[] = {
    {"cond_timedwait", cond_timedwait},
    {"sem_timedwait", semaphore_timedwait},
    {"mutex_timedlock", mutex_timedlock},
#ifndef HOST_MUSL
    {"cond_clockwait", cond_clockwait},
    {"sem_clockwait", semaphore_clockwait},
    {"mutex_clocklock", mutex_clocklock},
#endif
    {"clock_nanosleep", sleep_until},
    {"timerfd_read", timer_read},
    {"timerfd_epoll", timer_epoll},
    {"nanosleep", nanosleep_for, true},
    {"ppoll", ppoll_for, true},
    {"epoll_pwait2", epoll_pwait2_for, true},
    {"poll", poll_for, true, kMillisecond},
    {"epoll_wait", epoll_for, true, kMillisecond},
};

void prepare() {
  prctl(PR_SET_TIMERSLACK, 1);  // ns: else sleeps end up to 50 us late, and hide as much
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  if (g_clock == CLOCK_MONOTONIC) HOST_EXPECT(pthread_condattr_setclock(&attributes, g_clock) == 0);
  pthread_cond_init(&g_never, &attributes);
  pthread_mutex_lock(&g_mutex);
  pthread_mutexattr_t normal;
  pthread_mutexattr_init(&normal);
  pthread_mutexattr_settype(&normal,
                            PTHREAD_MUTEX_NORMAL);  // the one kind that its own holder may wait for
  pthread_mutex_init(&g_held, &normal);
  pthread_mutex_lock(&g_held);
  sem_init(&g_empty, 0, 0);
  g_epoll = epoll_create1(EPOLL_CLOEXEC);
  g_timer = timerfd_create(g_clock, TFD_CLOEXEC);  // none on CLOCK_TAI
  epoll_event readable{EPOLLIN, {}};
  if (g_timer >= 0) HOST_EXPECT(epoll_ctl(g_epoll, EPOLL_CTL_ADD, g_timer, &readable) == 0);
}

}  // namespace

// KIND CLOCK WAITS
int main(int argc, char** argv) {
  HOST_EXPECT(argc == 4);
  const auto* kind = std::find_if(std::begin(kKinds), std::end(kKinds),
                                  [&](const Kind& k) { return strcmp(k.name, argv[1]) == 0; });
  HOST_EXPECT(kind != std::end(kKinds));
  g_clock = atoi(argv[2]);
  const long waits = atol(argv[3]);
  prepare();
  host_warm_up(g_clock);
  long turns = 0;
  long early = 0;
  int64_t nearest = INT64_MAX;  // how far beyond the deadline the clock was when a wait had ended:
                                // < 0, and it was early
  for (long i = 0; i < waits; ++i) {
    const int64_t length = std::max(length_of(i), kind->unit);
    int64_t now = host_clock(g_clock);
    const int64_t deadline = now + length;
    do {
      // A rest of a millisecond is rounded up, as whoever waits by milliseconds has to.
      const int64_t left = (deadline - now + kind->unit - 1) / kind->unit * kind->unit;
      int result;
      do {
        result = kind->wait(timespec_of(kind->relative ? left : deadline));
      } while (result == 0);  // a condition may be woken for no reason
      HOST_EXPECT(result == ETIMEDOUT);
      now = host_clock(g_clock);
      ++turns;
      if (now < deadline) ++early;
      nearest = std::min(nearest, now - deadline);
    } while (now < deadline);
  }
  host_say("turns", turns);
  host_say("early", early);
  host_say("nearest", nearest);
  return 0;
}
