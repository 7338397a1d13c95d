// Served and real readings of one clock in turn, as programs have them that ask both the C library
// and the kernel (LTP's clock_gettime04 does nothing else). Time must not go back from one to the
// next. Told are the pairs that went back, and by how many ns the later one was ahead at least:
// from a served reading to the real one behind it ("behind"), and from a real one to the served one
// behind that ("early"). Of the clock's first 10 ms, while its rate is being learned ("young_..."),
// and of later.
#include <algorithm>
#include <string>

#include "kernel_clock.h"

namespace {

constexpr int64_t kYoung = 10'000'000;

struct Back {
  long pairs = 0;
  long count = 0;
  int64_t nearest = INT64_MAX;  // that the later one is ahead by
  void add(int64_t earlier, int64_t later) {
    ++pairs;
    if (later < earlier) ++count;
    nearest = std::min(nearest, later - earlier);
  }
  void say(const std::string& name) const {
    host_say((name + "_pairs").c_str(), pairs);
    host_say(name.c_str(), count);
    host_say((name + "_nearest").c_str(), nearest);
  }
};

struct Both {
  Back behind, early;
};

int64_t by_system_call(clockid_t clock) { return host_real_clock(clock); }
int64_t by_vdso(clockid_t clock) { return kernel_clock(clock); }

}  // namespace

// CLOCK PAIRS [vdso]: what is held against the served clock, if not the system call.
int main(int argc, char** argv) {
  HOST_EXPECT(argc >= 3);
  const clockid_t clock = atoi(argv[1]);
  const long pairs = atol(argv[2]);
  const auto real = argc > 3 ? by_vdso : by_system_call;
  Both young;
  Both old;
  const int64_t began = real(CLOCK_MONOTONIC);
  for (long i = 0; i < pairs;) {
    const bool still_young = real(CLOCK_MONOTONIC) - began < kYoung;
    Both& both = still_young ? young : old;
    const int64_t before = real(clock);
    const int64_t served = host_clock(clock);
    const int64_t after = real(clock);
    both.early.add(before, served);
    both.behind.add(served, after);
    if (!still_young) ++i;
  }
  young.behind.say("young_behind");
  young.early.say("young_early");
  old.behind.say("behind");
  old.early.say("early");
  return 0;
}
