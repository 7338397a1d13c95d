// How the served clocks stand to the kernel's and to each other. "between": a served reading lies
// between two of the kernel's. "pair": two clocks are as far apart as the kernel says. "coarse",
// "time", "mtime": what the kernel said without the shim is not ahead of what is served after it.
// All figures are in ns; those that should not be are told as the worst, from 0 on.
#include <sys/stat.h>

#include <algorithm>

#include "kernel_clock.h"

namespace {

constexpr int64_t kSecond = 1'000'000'000;

int64_t by_clock_gettime(clockid_t clock) { return host_clock(clock); }

int64_t by_gettimeofday(clockid_t) {
  timeval t;
  HOST_EXPECT(gettimeofday(&t, nullptr) == 0);
  return t.tv_sec * kSecond + t.tv_usec * 1000;
}

int64_t by_timespec_get(clockid_t) {
  timespec t;
  HOST_EXPECT(timespec_get(&t, TIME_UTC) == TIME_UTC);
  return host_ns(&t);
}

// FUNCTION CLOCK READINGS
void between(int64_t (*served_by)(clockid_t), int64_t unit, clockid_t clock, long readings) {
  int64_t early = 0;
  int64_t late = 0;
  int64_t narrowest = INT64_MAX;
  for (long i = 0; i < readings; ++i) {
    const int64_t before = kernel_clock(clock) / unit * unit;
    const int64_t served = served_by(clock);
    const int64_t after = kernel_clock(clock);
    early = std::max(early, before - served);
    late = std::max(late, served - after);
    narrowest = std::min(narrowest, after - before);
  }
  host_say("early", early);
  host_say("late", late);
  host_say("narrowest", narrowest);
}

// What `other` is ahead of `clock`, at least and at most: `other` was read between two readings of
// `clock`.
struct Apart {
  int64_t least;
  int64_t most;
};

template <class Read>
Apart apart(Read read, clockid_t clock, clockid_t other) {
  const int64_t before = read(clock);
  const int64_t between = read(other);
  const int64_t after = read(clock);
  return {between - after, between - before};
}

// CLOCK OTHER READINGS
void pair(clockid_t clock, clockid_t other, long readings) {
  Apart kernel{INT64_MIN, INT64_MAX};  // narrowed by each look
  Apart served{INT64_MIN, INT64_MAX};
  for (long i = 0; i < readings; ++i) {
    const Apart by_kernel = apart(kernel_clock, clock, other);
    kernel = {std::max(kernel.least, by_kernel.least), std::min(kernel.most, by_kernel.most)};
    const Apart by_shim = apart(by_clock_gettime, clock, other);
    served = {std::max(served.least, by_shim.least), std::min(served.most, by_shim.most)};
  }
  HOST_EXPECT(kernel.least <=
              kernel.most);  // else the machine was suspended, or TAI's seconds were set
  host_say("width", kernel.most - kernel.least);
  host_say("too_far", std::max<int64_t>(0, served.least - kernel.most));
  host_say("too_near", std::max<int64_t>(0, kernel.least - served.most));
}

// What a reading lags something that was seen before it: of the served clock, and, to compare with,
// of the kernel's own.
struct Ahead {
  int64_t of_served = INT64_MIN;
  int64_t of_kernel = INT64_MIN;

  // `seen` was seen just now. Each time one of the two clocks may answer: the second reading would
  // be late.
  void look(int64_t seen, clockid_t clock, int64_t (*served_by)(clockid_t), long turn) {
    if (turn % 2 == 0) {
      of_served = std::max(of_served, seen - served_by(clock));
    } else {
      of_kernel = std::max(of_kernel, seen - kernel_clock(clock));
    }
  }
  void say() const {
    host_say("ahead", of_served);
    host_say("kernel_ahead", of_kernel);
  }
};

// CLOCK COARSE TICKS: at each tick, as soon as the coarse clock shows it.
void coarse(clockid_t clock, clockid_t coarse_clock, long ticks) {
  Ahead ahead;
  int64_t last = host_clock(coarse_clock);
  for (long turn = 0; turn < ticks;) {
    host_clock(clock);  // so that the tick is met by a segment that is in use, not by one that is
                        // long over
    const int64_t now = host_clock(coarse_clock);
    if (now == last) continue;
    ahead.look(now, clock, by_clock_gettime, turn++);
    last = now;
  }
  ahead.say();
}

// SECONDS: at the beginning of each, as soon as time() shows it; every function in turn.
void whole_seconds(long seconds) {
  constexpr int64_t (*kFunctions[])(clockid_t) = {by_gettimeofday, by_clock_gettime,
                                                  by_timespec_get};
  Ahead ahead;
  for (long turn = 0; turn < seconds; ++turn) {
    const time_t last = time(nullptr);
    const timespec shortly_before{last, 990'000'000};
    clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &shortly_before, nullptr);
    time_t now;
    while ((now = time(nullptr)) == last) host_clock(CLOCK_REALTIME);
    for (const auto function : kFunctions) ahead.look(now * kSecond, CLOCK_REALTIME, function, 0);
    ahead.look(now * kSecond, CLOCK_REALTIME, nullptr, 1);
  }
  ahead.say();
}

// WRITES
void written_file(long writes) {
  const int file = fileno(tmpfile());
  Ahead ahead;
  for (long turn = 0; turn < writes; ++turn) {
    HOST_EXPECT(pwrite(file, "", 1, 0) == 1);
    struct stat info;
    HOST_EXPECT(fstat(file, &info) == 0);
    ahead.look(host_ns(&info.st_mtim), CLOCK_REALTIME, by_clock_gettime, turn);
  }
  ahead.say();
}

}  // namespace

int main(int argc, char** argv) {
  HOST_EXPECT(argc >= 3);
  const auto is = [&](const char* word) { return strcmp(argv[1], word) == 0; };
  const auto number = [&](int i) { return i < argc ? atol(argv[i]) : 0; };
  const auto clock = [&](int i) { return static_cast<clockid_t>(number(i)); };
  // Both the clocks that are read in turn have to be served by then.
  const bool two_clocks = is("pair");
  host_warm_up(is("between") || is("coarse") || two_clocks ? clock(2) : CLOCK_REALTIME);
  if (two_clocks) host_warm_up(clock(3));
  if (is("between")) between(by_clock_gettime, 1, clock(2), number(3));
  if (is("gettimeofday")) between(by_gettimeofday, 1000, CLOCK_REALTIME, number(2));
  if (is("timespec_get")) between(by_timespec_get, 1, CLOCK_REALTIME, number(2));
  if (two_clocks) pair(clock(2), clock(3), number(4));
  if (is("coarse")) coarse(clock(2), clock(3), number(4));
  if (is("time")) whole_seconds(number(2));
  if (is("mtime")) written_file(number(2));
  return 0;
}
