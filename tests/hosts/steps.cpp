// Steps the wall clock forth and back by the same amount, so that the machine's time stays, and
// looks how soon the time that clock_gettime gives follows. The kernel's own clock is asked before
// and after each call. Or changes TAI's offset, or the clocks' rate, and puts back what was there.
#include <sys/timex.h>

#include <algorithm>

#include "host.h"

namespace {

constexpr int64_t kNoticed = 110'000;  // 100 us, and what the calls around it take

// By the kernel's system call, which no preload sees, as another process would do it.
bool adjust_unseen(timex* t) {
  long result = 0;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(SYS_clock_adjtime), "D"(CLOCK_REALTIME), "S"(t)
               : "rcx", "r11", "memory");
  errno = result < 0 ? static_cast<int>(-result) : 0;
  return result >= 0;
}

bool step_unseen(int64_t by) {
  timex t{};
  t.modes = ADJ_SETOFFSET | ADJ_NANO;
  t.time.tv_sec = by < 0 ? by / 1'000'000'000 - 1 : by / 1'000'000'000;
  t.time.tv_usec = by - t.time.tv_sec * 1'000'000'000;
  return adjust_unseen(&t);
}

// By the C library's functions, each in turn, and by its syscall().
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
    case 3: return clock_adjtime(CLOCK_REALTIME, &t) >= 0;
    case 4: return syscall(SYS_clock_settime, CLOCK_REALTIME, &spec) == 0;
    case 5: return syscall(SYS_settimeofday, &val, nullptr) == 0;
    case 6: return syscall(SYS_adjtimex, &t) >= 0;
    default: return syscall(SYS_clock_adjtime, CLOCK_REALTIME, &t) >= 0;
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

// For so long, by the kernel's clock: in how many calls the served time is wrong, and by how much.
struct Wrong {
  long calls = 0;
  int64_t worst = 0;

  HOST_NOINLINE void look_for(int64_t time, clockid_t clock, int64_t tolerance) {
    const int64_t end = host_real_clock(CLOCK_MONOTONIC) + time;
    while (host_real_clock(CLOCK_MONOTONIC) < end) {
      const int64_t by = wrong_by(clock, tolerance);
      if (by != 0) ++calls;
      worst = std::max(worst, by);
    }
  }
};

bool set_tai(int offset) {
  timex t{};
  t.modes = ADJ_TAI;
  t.constant = offset;
  return adjtimex(&t) >= 0;
}

void set_tai_here(int64_t tolerance, int times) {
  timex before{};
  HOST_EXPECT(adjtimex(&before) >= 0);
  Wrong wrong;
  for (int i = 0; i < times; ++i) {
    for (const int offset : {37, 36}) {
      if (!set_tai(offset)) {
        HOST_EXPECT(errno == EPERM);
        host_say("forbidden", 1);
        return;
      }
      wrong.look_for(5'000'000, CLOCK_TAI, tolerance);
    }
  }
  HOST_EXPECT(set_tai(before.tai));
  host_say("late", wrong.calls);
  host_say("worst", wrong.worst);
}

bool set_tick(long tick) {
  timex t{};
  t.modes = ADJ_TICK;
  t.tick = tick;
  return adjust_unseen(&t);
}

// As chrony slews by it, forth and back. The least and the most that the kernel takes.
void set_rate(int64_t tolerance, int times) {
  constexpr long kUsual = 10'000;
  timex before{};
  HOST_EXPECT(adjtimex(&before) >= 0);
  if (before.tick != kUsual || !set_tick(kUsual)) {
    host_say("forbidden", 1);
    return;
  }
  Wrong wrong;
  for (int i = 0; i < times; ++i) {
    for (const long tick : {kUsual * 11 / 10, kUsual, kUsual * 9 / 10, kUsual}) {
      HOST_EXPECT(set_tick(tick));
      wrong.look_for(20'000'000, CLOCK_MONOTONIC, tolerance);
    }
  }
  host_say("wrong", wrong.calls);
  host_say("worst", wrong.worst);
}

}  // namespace

// HOW STEP-NS TOLERANCE-NS TIMES
int main(int argc, char** argv) {
  HOST_EXPECT(argc == 5);
  if (strcmp(argv[1], "tai") == 0 || strcmp(argv[1], "rate") == 0) {
    const bool tai = argv[1][0] == 't';
    host_warm_up(tai ? CLOCK_TAI : CLOCK_MONOTONIC);
    (tai ? set_tai_here : set_rate)(atoll(argv[3]), atoi(argv[4]));
    return 0;
  }
  const bool unseen = strcmp(argv[1], "unseen") == 0;
  const int64_t step = atoll(argv[2]);
  const int64_t tolerance = atoll(argv[3]);
  const int times = atoi(argv[4]);
  long late = 0;
  long seen_old = 0;
  long monotonic_wrong = 0;
  int64_t worst = 0;
  for (int i = 0; i < 2 * times; ++i) {
    const int64_t by = i % 2 == 0 ? step : -step;
    // Segments are short at first, and behind a step, and one that nobody has asked for is over:
    // then the next sample notices, and not the check that has to.
    host_warm_up(CLOCK_MONOTONIC);
    host_warm_up(CLOCK_REALTIME);
    if (!(unseen ? step_unseen(by) : step_here(by, i / 2 % 8))) {
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
