// Steps the wall clock forth and back by the same amount, so that the machine's time stays, and
// looks how soon the time that clock_gettime gives follows. The kernel's own clock is asked before
// and after each call.
#include <sys/timex.h>

#include <algorithm>

#include "host.h"

namespace {

constexpr int64_t kNoticed = 110'000;  // 100 us, and what the calls around it take

// By the kernel's system call, which no preload sees, as another process would do it.
bool step_unseen(int64_t by) {
  timex t{};
  t.modes = ADJ_SETOFFSET | ADJ_NANO;
  t.time.tv_sec = by < 0 ? by / 1'000'000'000 - 1 : by / 1'000'000'000;
  t.time.tv_usec = by - t.time.tv_sec * 1'000'000'000;
  return syscall(SYS_clock_adjtime, CLOCK_REALTIME, &t) >= 0;
}

// By the C library's functions, each in turn.
bool step_here(int64_t by, int way) {
  const int64_t to = host_real_clock(CLOCK_REALTIME) + by;
  timex t{};
  t.modes = ADJ_SETOFFSET;
  t.time.tv_sec = by < 0 ? by / 1'000'000'000 - 1 : by / 1'000'000'000;
  t.time.tv_usec = (by - t.time.tv_sec * 1'000'000'000) / 1000;
  const timespec spec{to / 1'000'000'000, to % 1'000'000'000};
  const timeval val{to / 1'000'000'000, to % 1'000'000'000 / 1000};
  switch (way) {
    case 0: return clock_settime(CLOCK_REALTIME, &spec) == 0;
    case 1: return settimeofday(&val, nullptr) == 0;
    case 2: return adjtimex(&t) >= 0;
    default: return clock_adjtime(CLOCK_REALTIME, &t) >= 0;
  }
}

// By how much the served time is outside of what the kernel says before and after it, beyond the
// tolerance.
int64_t wrong_by(clockid_t clock, int64_t tolerance) {
  const int64_t before = host_real_clock(clock);
  const int64_t served = host_clock(clock);
  const int64_t after = host_real_clock(clock);
  return std::max({int64_t{0}, before - tolerance - served, served - after - tolerance});
}

}  // namespace

// HOW STEP-NS TOLERANCE-NS TIMES
int main(int argc, char** argv) {
  HOST_EXPECT(argc == 5);
  const bool unseen = strcmp(argv[1], "unseen") == 0;
  const int64_t step = atoll(argv[2]);
  const int64_t tolerance = atoll(argv[3]);
  const int times = atoi(argv[4]);
  host_warm_up(CLOCK_REALTIME);
  host_warm_up(CLOCK_MONOTONIC);
  long late = 0;
  long seen_old = 0;
  long monotonic_wrong = 0;
  int64_t worst = 0;
  for (int i = 0; i < 2 * times; ++i) {
    const int64_t by = i % 2 == 0 ? step : -step;
    if (!(unseen ? step_unseen(by) : step_here(by, i / 2 % 4))) {
      HOST_EXPECT(errno == EPERM && i == 0);
      host_say("forbidden", 1);
      return 0;
    }
    const int64_t start = host_real_clock(CLOCK_MONOTONIC);
    for (int64_t now = start; now < start + 3 * kNoticed; now = host_real_clock(CLOCK_MONOTONIC)) {
      if (wrong_by(CLOCK_MONOTONIC, tolerance) != 0) ++monotonic_wrong;
      const int64_t begun = host_real_clock(CLOCK_MONOTONIC) - start;
      if (wrong_by(CLOCK_REALTIME, tolerance) == 0) continue;
      ++seen_old;
      worst = std::max(worst, begun);
      if (begun > (unseen ? kNoticed : 0)) ++late;
    }
  }
  host_say("late", late);
  host_say("old", seen_old);
  host_say("worst", worst);
  host_say("monotonic_wrong", monotonic_wrong);
  return 0;
}
