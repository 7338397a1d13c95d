// A time namespace, whose CLOCK_MONOTONIC and CLOCK_BOOTTIME are set off from the machine's. The
// first child is executed in it; the second is forked into it from a process that has been served
// outside, and so brings the outside's time along.
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/wait.h>

#include <algorithm>
#include <iterator>

#include "kernel_clock.h"

namespace {

constexpr clockid_t kClocks[] = {CLOCK_MONOTONIC, CLOCK_BOOTTIME};
constexpr long kReadings = 20'000;
constexpr int64_t kWatched =
    50'000'000;  // ns after the fork: more than ten segments of the longest kind
constexpr int64_t kWrong =
    1'000'000;  // ns: far from any tolerance, and from any offset, which are whole seconds

// What a served reading is outside two of the kernel's; both are of the namespace that this process
// is in.
int64_t outside(clockid_t clock) {
  const int64_t before = kernel_clock(clock);
  const int64_t served = host_clock(clock);
  const int64_t after = kernel_clock(clock);
  return std::max({int64_t{0}, before - served, served - after});
}

void say_for(const char* word, clockid_t clock, int64_t number) {
  char name[64];
  snprintf(name, sizeof name, "%s%d", word, clock);
  host_say(name, number);
}

void executed() {
  for (const clockid_t clock : kClocks) {
    host_warm_up(clock);
    int64_t worst = 0;
    for (long i = 0; i < kReadings; ++i) worst = std::max(worst, outside(clock));
    say_for("inside", clock, host_clock(clock));
    say_for("worst", clock, worst);
  }
}

// For how long after the fork readings begin that are wrong, and how many those are.
void forked() {
  const int64_t begin = kernel_clock(CLOCK_MONOTONIC);
  int64_t wrong_until[] = {begin, begin};
  long wrong[] = {0, 0};
  for (int64_t now = begin; now < begin + kWatched; now = kernel_clock(CLOCK_MONOTONIC)) {
    for (std::size_t i = 0; i < std::size(kClocks); ++i) {
      if (outside(kClocks[i]) < kWrong) continue;
      wrong_until[i] = now;
      ++wrong[i];
    }
  }
  for (std::size_t i = 0; i < std::size(kClocks); ++i) {
    say_for("wrong_for", kClocks[i], wrong_until[i] - begin);
    say_for("wrong", kClocks[i], wrong[i]);
  }
}

void await(pid_t child) {
  int status;
  HOST_EXPECT(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
              WEXITSTATUS(status) == 0);
}

bool enter_namespace(long monotonic, long boottime) {
  if (unshare(CLONE_NEWTIME) != 0) return false;
  char text[128];
  const int length =
      snprintf(text, sizeof text, "monotonic %ld 0\nboottime %ld 0\n", monotonic, boottime);
  const int file = open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
  const bool written = file >= 0 && write(file, text, static_cast<std::size_t>(length)) == length;
  if (file >= 0) close(file);
  return written;
}

}  // namespace

// MONOTONIC BOOTTIME: the offsets in s. "executed": the first child.
int main(int argc, char** argv) {
  if (argc == 2) {
    executed();
    return 0;
  }
  HOST_EXPECT(argc == 3);
  if (!enter_namespace(atol(argv[1]), atol(argv[2]))) {
    host_say("refused", errno);
    return 0;
  }
  for (const clockid_t clock : kClocks) host_warm_up(clock);
  for (const clockid_t clock : kClocks) say_for("before", clock, kernel_clock(clock));
  char word[] = "executed";
  char* const arguments[] = {argv[0], word, nullptr};
  const pid_t first = fork();
  if (first == 0) {
    execv(argv[0], arguments);
    _exit(98);
  }
  await(first);
  for (const clockid_t clock : kClocks) say_for("after", clock, kernel_clock(clock));
  const int64_t end = kernel_clock(CLOCK_MONOTONIC) +
                      10'000'000;  // all that the second child inherits is then fresh
  while (kernel_clock(CLOCK_MONOTONIC) < end) {
    for (const clockid_t clock : kClocks) host_clock(clock);
  }
  const pid_t second = fork();
  if (second == 0) {
    forked();
    _exit(0);
  }
  await(second);
  return 0;
}
